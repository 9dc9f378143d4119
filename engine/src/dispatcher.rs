use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

use futures_util::FutureExt;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::spawn_local;

use crate::alarms::Alarm;
use crate::board::Board;
use crate::client::Client;
use crate::exchange;
use crate::failure::{Failure, FailureKind};
use crate::fair_queue::{FairQueue, GivenUp, Limits, News, Reading, Started};
use crate::origin::Origin;
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::reading;
use crate::request::{Key, Request};
use crate::retry::RetryPolicy;
use crate::retry_after;
use crate::standing::OriginNews;

/// What the host asks of the engine's thread.
pub(crate) enum Command {
    Submit(Vec<Request>),
    SetPolicy(Box<Policy>),
    ReloadFiles,
    DropWaiting,
    Stop,
}

/// Starts requests as the limits allow, and hands their outcomes over, until it is told to stop.
pub(crate) async fn run(mut commands: UnboundedReceiver<Command>, board: Arc<Board>, policy: Policy) {
    let (finished, mut done) = mpsc::unbounded_channel();
    let mut dispatcher = Dispatcher {
        board,
        queue: FairQueue::new(limits(&policy)),
        retry: policy.retry,
        client: Client::new(policy),
        finished,
        outcomes: Vec::new(),
        news: OriginNews::default(),
        now: Instant::now(),
    };
    let mut alarm = Alarm::default();
    // The two channels are emptied at each turn: what came in together is handled together.
    poll_fn(|cx| {
        dispatcher.now = Instant::now();
        if dispatcher.obey(&mut commands, cx).is_ready() {
            return Poll::Ready(());
        }
        dispatcher.hear(&mut done, cx);
        while alarm.poll(dispatcher.queue.next_look(), cx).is_ready() {
            dispatcher.now = Instant::now();
            dispatcher.queue.look(dispatcher.now);
        }
        dispatcher.start_requests();
        dispatcher.hand_over();
        Poll::Pending
    })
    .await;
}

struct Dispatcher {
    board: Arc<Board>,
    queue: FairQueue<Request>,
    retry: RetryPolicy,
    client: Rc<Client>,
    finished: UnboundedSender<Finished>,
    /// Kept for its capacity.
    outcomes: Vec<Outcome>,
    news: OriginNews,
    /// The moment of this turn.
    now: Instant,
}

struct Finished {
    origin: Origin,
    probe: bool,
    /// Bytes of the request's body.
    body: usize,
    outcome: Outcome,
}

impl Dispatcher {
    /// Follows the commands there are; ready when the engine has to stop.
    fn obey(&mut self, commands: &mut UnboundedReceiver<Command>, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(command) = commands.poll_recv(cx) {
            match command {
                Some(Command::Submit(requests)) => {
                    for request in requests {
                        self.client.budget().count(request.body.len());
                        self.queue.push(request.origin().clone(), request, self.now);
                    }
                }
                Some(Command::SetPolicy(policy)) => {
                    self.queue.set_limits(limits(&policy), self.now);
                    self.retry = policy.retry;
                    self.client.set_policy(*policy);
                }
                Some(Command::ReloadFiles) => self.client.reload_files(),
                Some(Command::DropWaiting) => self.queue.clear(),
                Some(Command::Stop) | None => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Takes the outcomes there are, and learns from them.
    fn hear(&mut self, done: &mut UnboundedReceiver<Finished>, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(Finished { origin, probe, body, outcome })) = done.poll_recv(cx) {
            self.client.budget().discount(body);
            self.queue.finish(&origin, probe, reading::of(&outcome), self.now);
            if let Ok(response) = &outcome.result
                && let Some(wait) = retry_after::hold(response, SystemTime::now, self.retry.retry_after_max)
            {
                // Where redirects were followed, it is their end that wants to be left alone.
                self.queue.hold(response.trace.target.origin(), self.now + wait, self.now);
            }
            self.outcomes.push(outcome);
        }
    }

    fn start_requests(&mut self) {
        while let Some(Started { item: request, probe }) = self.queue.start(self.now) {
            if !self.board.begin(1) {
                // Dropped with the rest of the waiting ones, as soon as the command comes through.
                self.queue.finish(request.origin(), probe, Reading::Nothing, self.now);
                self.queue.clear();
                return;
            }
            let (key, origin, body) = (request.key(), request.origin().clone(), request.body.len());
            let client = self.client.clone();
            // A task is moved about as it is made and when it ends; a boxed one is moved as a pointer.
            let work = Box::pin(async move { exchange::run(&client, request).await });
            let finished = self.finished.clone();
            spawn_local(carry_out(key, work, move |outcome| {
                // The dispatcher is gone only when the engine stops.
                let _ = finished.send(Finished { origin, probe, body, outcome });
            }));
        }
    }

    fn hand_over(&mut self) {
        let News { states, sent_back, given_up } = self.queue.news();
        let budget = self.client.budget();
        self.news.states.append(states);
        self.news.sent_back.extend(sent_back.drain(..).map(|request| {
            budget.discount(request.body.len());
            request.key()
        }));
        // The host counts on no more outcomes than were under way.
        if !given_up.is_empty() && self.board.begin(given_up.len()) {
            self.outcomes.extend(given_up.drain(..).map(|GivenUp { item, waited, failure }| {
                budget.discount(item.body.len());
                Outcome { key: item.key(), result: Err(failure.of_probe()), elapsed: waited }
            }));
        }
        if !self.outcomes.is_empty() || !self.news.is_empty() {
            self.board.finish(&mut self.outcomes, &mut self.news);
        }
    }
}

/// One request's task. A panic in it is the outcome of this request, and of no other.
async fn carry_out(key: Key, work: impl Future<Output = Outcome>, finish: impl FnOnce(Outcome)) {
    let started = Instant::now();
    let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Outcome {
        key,
        result: Err(Failure::new(FailureKind::Internal("the request's task panicked".into()))),
        elapsed: started.elapsed(),
    });
    finish(outcome);
}

fn limits(policy: &Policy) -> Limits {
    Limits {
        total: policy.max_in_flight.min(policy.max_connections).max(1),
        per_origin: policy.max_in_flight_per_origin.max(1),
        breaker_failures: policy.breaker_failures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_the_outcome_of_its_request() {
        let mut outcome = None;
        let work = async { panic!("this panic is part of a test") };
        carry_out(7, work, |came| outcome = Some(came)).now_or_never().unwrap();
        let outcome = outcome.unwrap();
        assert_eq!(outcome.key, 7);
        assert!(matches!(outcome.result.unwrap_err().kind(), FailureKind::Internal(_)));
    }
}
