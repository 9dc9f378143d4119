use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::FutureExt;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::spawn_local;

use crate::board::Board;
use crate::client::Client;
use crate::exchange;
use crate::failure::{Failure, FailureKind};
use crate::fair_queue::{FairQueue, Limits};
use crate::origin::Origin;
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::request::{Key, Request};

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
        client: Client::new(policy),
        finished,
        outcomes: Vec::new(),
    };
    // The two channels are emptied at each turn: what came in together is handled together.
    poll_fn(|cx| {
        if dispatcher.obey(&mut commands, cx).is_ready() {
            return Poll::Ready(());
        }
        dispatcher.hand_over(&mut done, cx);
        dispatcher.start_requests();
        Poll::Pending
    })
    .await;
}

struct Dispatcher {
    board: Arc<Board>,
    queue: FairQueue<Request>,
    client: Rc<Client>,
    finished: UnboundedSender<Finished>,
    /// Kept for its capacity.
    outcomes: Vec<Outcome>,
}

struct Finished {
    origin: Origin,
    outcome: Outcome,
}

impl Dispatcher {
    /// Follows the commands there are; ready when the engine has to stop.
    fn obey(&mut self, commands: &mut UnboundedReceiver<Command>, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(command) = commands.poll_recv(cx) {
            match command {
                Some(Command::Submit(requests)) => {
                    for request in requests {
                        self.queue.push(request.origin().clone(), request);
                    }
                }
                Some(Command::SetPolicy(policy)) => {
                    self.queue.set_limits(limits(&policy));
                    self.client.set_policy(*policy);
                }
                Some(Command::ReloadFiles) => self.client.reload_files(),
                Some(Command::DropWaiting) => self.queue.clear(),
                Some(Command::Stop) | None => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    fn hand_over(&mut self, done: &mut UnboundedReceiver<Finished>, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(Finished { origin, outcome })) = done.poll_recv(cx) {
            self.queue.finish(&origin);
            self.outcomes.push(outcome);
        }
        if !self.outcomes.is_empty() {
            self.board.finish(&mut self.outcomes);
        }
    }

    fn start_requests(&mut self) {
        while let Some(request) = self.queue.start() {
            if !self.board.begin(1) {
                // Dropped with the rest of the waiting ones, as soon as the command comes through.
                self.queue.finish(request.origin());
                self.queue.clear();
                return;
            }
            let (key, origin) = (request.key(), request.origin().clone());
            let client = self.client.clone();
            // A task is moved about as it is made and when it ends; a boxed one is moved as a pointer.
            let work = Box::pin(async move { exchange::run(&client, request).await });
            spawn_local(carry_out(key, origin, work, self.finished.clone()));
        }
    }
}

/// One request's task. A panic in it is the outcome of this request, and of no other.
async fn carry_out(key: Key, origin: Origin, work: impl Future<Output = Outcome>, finished: UnboundedSender<Finished>) {
    let started = Instant::now();
    let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Outcome {
        key,
        result: Err(Failure::new(FailureKind::Internal("the request's task panicked".into()))),
        elapsed: started.elapsed(),
    });
    // The dispatcher is gone only when the engine stops.
    let _ = finished.send(Finished { origin, outcome });
}

fn limits(policy: &Policy) -> Limits {
    Limits { total: policy.max_in_flight.max(1), per_origin: policy.max_in_flight_per_origin.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    #[test]
    fn a_panic_is_the_outcome_of_its_request() {
        let (finished, mut done) = mpsc::unbounded_channel();
        let origin = Target::parse("http://a/").unwrap().origin().clone();
        let work = async { panic!("this panic is part of a test") };
        carry_out(7, origin, work, finished).now_or_never().unwrap();
        let outcome = done.try_recv().unwrap().outcome;
        assert_eq!(outcome.key, 7);
        assert!(matches!(outcome.result.unwrap_err().kind(), FailureKind::Internal(_)));
    }
}
