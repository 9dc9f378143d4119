use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

use futures_util::FutureExt;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use crate::config::policy::Policy;
use crate::dispatch::origin_health::OriginNews;
use crate::dispatch::origin_scheduler::{FairQueue, Limits, News, Started};
use crate::dispatch::origin_signal::{self, Reading};
use crate::dispatch::outcome_batcher::Company;
use crate::dispatch::outcome_mailbox::Board;
use crate::dispatch::ticket::{PlaceState, Ticket};
use crate::dispatch::timers::Alarm;
use crate::exchange;
use crate::message::failure::{Failure, FailureKind};
use crate::message::key::Key;
use crate::message::outcome::Outcome;
use crate::message::request::Request;
use crate::pool::client::Client;
use crate::retry::RetryPolicy;
use crate::retry::retry_after;

/// What the host asks of the engine's thread.
pub(crate) enum Command {
    Submit(Vec<Request>),
    SetPolicy(Box<Policy>),
    ReloadFiles,
    DropWaiting,
    TakeBack(Vec<Key>, SyncSender<Vec<Key>>),
    TakeAllBack(SyncSender<Vec<Key>>),
    /// Start what the limits allow, whatever the host's [`MayStart`] says.
    StartNow(SyncSender<()>),
    /// [`MayStart`] has perhaps another answer than before.
    AskAgain,
    Stop,
}

/// The host's answer to whether requests may start. Asked before each.
pub(crate) type MayStart = Box<dyn Fn() -> bool + Send>;

/// Starts requests as the limits allow, and hands their outcomes over, until it is told to stop.
pub(crate) async fn run(
    mut commands: UnboundedReceiver<Command>,
    board: Arc<Board>,
    policy: Policy,
    may_start: MayStart,
) {
    let (events, mut heard) = mpsc::unbounded_channel();
    let mut dispatcher = Dispatcher {
        board,
        queue: FairQueue::new(limits(&policy)),
        retry: policy.retry,
        client: Client::new(policy),
        events,
        may_start,
        start_now: None,
        taken_back: Vec::new(),
        want_places: VecDeque::new(),
        outcomes: Vec::new(),
        company: Company::default(),
        news: OriginNews::default(),
        has_news: false,
        now: Instant::now(),
    };
    let mut alarm = Alarm::default();
    // The two channels are emptied at each turn: what came in together is handled together.
    poll_fn(|cx| {
        dispatcher.now = Instant::now();
        if dispatcher.obey(&mut commands, cx).is_ready() {
            return Poll::Ready(());
        }
        dispatcher.hear(&mut heard, cx);
        dispatcher.start_requests();
        dispatcher.hand_over();
        while alarm.poll(dispatcher.next_look(), cx).is_ready() {
            dispatcher.now = Instant::now();
            dispatcher.queue.look(dispatcher.now);
            dispatcher.start_requests();
            dispatcher.hand_over();
        }
        dispatcher.answer();
        Poll::Pending
    })
    .await;
}

struct Dispatcher {
    board: Arc<Board>,
    queue: FairQueue<Request>,
    retry: RetryPolicy,
    client: Rc<Client>,
    events: UnboundedSender<Event>,
    may_start: MayStart,
    /// Who waits for what may start to have started.
    start_now: Option<SyncSender<()>>,
    /// What was taken back, and for whom.
    taken_back: Vec<(SyncSender<Vec<Key>>, Vec<Key>)>,
    /// Requests that had left their places to others, and could go on.
    want_places: VecDeque<(Rc<Ticket>, oneshot::Sender<()>)>,
    /// Kept for its capacity.
    outcomes: Vec<Outcome>,
    company: Company,
    news: OriginNews,
    /// Whether there is news that cannot wait for outcomes to go along with.
    has_news: bool,
    /// The moment of this turn.
    now: Instant,
}

/// What a request's task says.
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large one")]
pub(crate) enum Event {
    /// There is a connection for the request.
    Reached(Rc<Ticket>),
    /// It takes long until the request can go on: others may have its place.
    GivesUpPlace(Rc<Ticket>),
    /// It can go on, as soon as there is a place.
    WantsPlace(Rc<Ticket>, oneshot::Sender<()>),
    Finished(Rc<Ticket>, Outcome),
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
                Some(Command::TakeBack(mut keys, reply)) => {
                    keys.sort_unstable();
                    self.take_back(|request| keys.binary_search(&request.key()).is_ok(), reply);
                }
                Some(Command::TakeAllBack(reply)) => self.take_back(|_| true, reply),
                Some(Command::StartNow(reply)) => self.start_now = Some(reply),
                Some(Command::AskAgain) => {}
                Some(Command::Stop) | None => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Takes the outcomes there are, and learns from them.
    fn hear(&mut self, heard: &mut UnboundedReceiver<Event>, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(event)) = heard.poll_recv(cx) {
            match event {
                Event::Reached(ticket) => self.queue.reach(&ticket.origin, self.now),
                Event::GivesUpPlace(ticket) => {
                    ticket.set_place(PlaceState::GivenUp);
                    self.queue.give_place_up(&ticket.origin, ticket.probe, self.now);
                }
                Event::WantsPlace(ticket, given) => {
                    ticket.set_place(PlaceState::Wanted);
                    self.want_places.push_back((ticket, given));
                }
                Event::Finished(ticket, outcome) => self.finish(&ticket, outcome),
            }
        }
    }

    /// Lets those go on that had left their places to others.
    fn give_places_back(&mut self) {
        while self.queue.has_place()
            && let Some((ticket, given)) = self.want_places.pop_front()
        {
            // Not to one that has ended meanwhile.
            if ticket.place() == PlaceState::Wanted && !given.is_closed() {
                ticket.set_place(PlaceState::Taken);
                self.queue.take_place(&ticket.origin, ticket.probe);
                let _ = given.send(());
            }
        }
    }

    fn finish(&mut self, ticket: &Ticket, outcome: Outcome) {
        let Ticket { origin, probe, body, .. } = ticket;
        self.client.budget().discount(*body);
        let reading = match ticket.place() {
            // That there was no place for it says nothing about the origin.
            PlaceState::Wanted => Reading::Nothing,
            PlaceState::Taken | PlaceState::GivenUp => origin_signal::of(&outcome),
        };
        if ticket.place() != PlaceState::Taken {
            ticket.set_place(PlaceState::Taken);
            self.queue.take_place(origin, *probe);
        }
        let is_expected = self.queue.finish(origin, *probe, reading, self.now);
        if let Ok(response) = &outcome.result
            && let Some(wait) = retry_after::hold(response, SystemTime::now, self.retry.retry_after_max)
        {
            // Where redirects were followed, it is their end that wants to be left alone.
            self.queue.hold(response.trace.target.origin(), self.now + wait, self.now);
        }
        let is_late = matches!(reading, Reading::Missed(_)) && outcome.result.as_ref().is_err_and(Failure::timed_out);
        match (is_expected, is_late) {
            (true, _) => self.company.expect(outcome, self.now),
            (false, true) => self.company.delay(outcome, self.now),
            (false, false) => self.outcomes.push(outcome),
        }
    }

    /// Takes requests back that wait to be started.
    fn take_back(&mut self, is_wanted: impl Fn(&Request) -> bool, reply: SyncSender<Vec<Key>>) {
        let removed = self.queue.remove(is_wanted, self.now);
        let budget = self.client.budget();
        let keys = removed.iter().map(|request| {
            budget.discount(request.body.len());
            request.key()
        });
        self.taken_back.push((reply, keys.collect()));
    }

    /// Answers the host, which waits. After the news is handed over: what was sent back must not be taken for started.
    fn answer(&mut self) {
        for (reply, keys) in self.taken_back.drain(..) {
            let _ = reply.send(keys);
        }
        if let Some(reply) = self.start_now.take() {
            let _ = reply.send(());
        }
    }

    fn start_requests(&mut self) {
        self.give_places_back();
        // The host is asked before each: it may say no at any moment.
        while self.start_now.is_some() || (self.may_start)() {
            let Some(Started { item: request, probe, watch }) = self.queue.start(self.now) else { return };
            if !self.board.begin(1) {
                // Dropped with the rest of the waiting ones, as soon as the command comes through.
                self.queue.finish(request.origin(), probe, Reading::Nothing, self.now);
                self.queue.clear();
                return;
            }
            let key = request.key();
            let (origin, events) = (request.origin().clone(), self.events.clone());
            let ticket = Ticket::new(origin, probe, request.body.len(), watch, events);
            let (client, shown) = (self.client.clone(), ticket.clone());
            // A task is moved about as it is made and when it ends; a boxed one is moved as a pointer.
            let work = Box::pin(async move { exchange::run(&client, request, Some(shown)).await });
            spawn_local(carry_out(key, work, move |outcome| ticket.tell(Event::Finished(ticket.clone(), outcome))));
        }
    }

    /// When there is something to do though nothing happens.
    fn next_look(&self) -> Option<Instant> {
        self.queue.next_look().into_iter().chain(self.company.next()).min()
    }

    fn hand_over(&mut self) {
        self.has_news |= self.queue.has_urgent_news();
        let News { states, paces, sent_back } = self.queue.news();
        let budget = self.client.budget();
        self.news.states.append(states);
        self.news.paces.append(paces);
        self.news.sent_back.extend(sent_back.drain(..).map(|request| {
            budget.discount(request.body.len());
            request.key()
        }));
        self.company.join(&mut self.outcomes, self.now);
        if !self.outcomes.is_empty() || self.has_news {
            self.has_news = false;
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
        untried: policy.max_in_flight_untried().min(policy.max_in_flight_per_origin).max(1),
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
