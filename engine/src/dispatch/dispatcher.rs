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
use crate::dispatch::limits::Limits;
use crate::dispatch::origin_health::OriginEvents;
use crate::dispatch::origin_scheduler::{OriginScheduler, SchedulerEvents, Started};
use crate::dispatch::origin_signal::{self, OriginSignal};
use crate::dispatch::outcome_batcher::OutcomeBatcher;
use crate::dispatch::outcome_mailbox::OutcomeMailbox;
use crate::dispatch::ticket::{PlaceState, Ticket};
use crate::dispatch::timers::Timer;
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
    /// Start what the limits allow, whatever [`MayStart`] says.
    StartNow(SyncSender<()>),
    /// [`MayStart`] may give another answer than before.
    AskAgain,
    Stop,
}

/// Whether the host lets requests start. It is asked before each.
pub(crate) type MayStart = Box<dyn Fn() -> bool + Send>;

/// Starts requests as the limits allow and hands their outcomes over, until it is told to stop.
pub(crate) async fn run(
    mut commands: UnboundedReceiver<Command>,
    mailbox: Arc<OutcomeMailbox>,
    policy: Policy,
    may_start: MayStart,
) {
    let (events, mut finished) = mpsc::unbounded_channel();
    let mut dispatcher = Dispatcher {
        mailbox,
        scheduler: OriginScheduler::new(Limits::of(&policy)),
        retry: policy.retry,
        client: Client::new(policy),
        events,
        may_start,
        start_now: None,
        taken_back: Vec::new(),
        want_places: VecDeque::new(),
        outcomes: Vec::new(),
        batcher: OutcomeBatcher::default(),
        origin_events: OriginEvents::default(),
        has_urgent_events: false,
        now: Instant::now(),
    };
    let mut timer = Timer::default();
    // Both channels are emptied at each turn, so that what came in together is handled together.
    poll_fn(|cx| {
        dispatcher.now = Instant::now();
        if dispatcher.drain_commands(&mut commands, cx).is_ready() {
            return Poll::Ready(());
        }
        dispatcher.drain_finished(&mut finished, cx);
        dispatcher.start_requests();
        dispatcher.hand_over();
        while timer.poll(dispatcher.next_timer(), cx).is_ready() {
            dispatcher.now = Instant::now();
            dispatcher.scheduler.run_timers(dispatcher.now);
            dispatcher.start_requests();
            dispatcher.hand_over();
        }
        dispatcher.reply_to_host();
        Poll::Pending
    })
    .await;
}

struct Dispatcher {
    mailbox: Arc<OutcomeMailbox>,
    scheduler: OriginScheduler<Request>,
    retry: RetryPolicy,
    client: Rc<Client>,
    events: UnboundedSender<Event>,
    may_start: MayStart,
    /// Answered once what may start has started.
    start_now: Option<SyncSender<()>>,
    /// Keys that were taken back, and where to send them.
    taken_back: Vec<(SyncSender<Vec<Key>>, Vec<Key>)>,
    /// Requests that had given up their places and can go on.
    want_places: VecDeque<(Rc<Ticket>, oneshot::Sender<()>)>,
    /// Kept for its capacity.
    outcomes: Vec<Outcome>,
    batcher: OutcomeBatcher,
    origin_events: OriginEvents,
    /// Whether an event has to reach the host at once, and not only with the next outcomes.
    has_urgent_events: bool,
    /// The time at the start of this turn.
    now: Instant,
}

/// What the task of a request reports.
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large one")]
pub(crate) enum Event {
    /// There is a connection for the request.
    Reached(Rc<Ticket>),
    /// The request waits for long, and others may have its place.
    GivesUpPlace(Rc<Ticket>),
    /// The request can go on as soon as there is a place.
    WantsPlace(Rc<Ticket>, oneshot::Sender<()>),
    Finished(Rc<Ticket>, Outcome),
}

impl Dispatcher {
    /// Carries out the commands that have come. Ready when the engine has to stop.
    fn drain_commands(&mut self, commands: &mut UnboundedReceiver<Command>, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(command) = commands.poll_recv(cx) {
            match command {
                Some(Command::Submit(requests)) => {
                    for request in requests {
                        self.client.budget().add_request(request.body.len());
                        self.scheduler.push(request.origin().clone(), request, self.now);
                    }
                }
                Some(Command::SetPolicy(policy)) => {
                    self.scheduler.set_limits(Limits::of(&policy), self.now);
                    self.retry = policy.retry;
                    self.client.set_policy(*policy);
                }
                Some(Command::ReloadFiles) => self.client.reload_files(),
                Some(Command::DropWaiting) => self.scheduler.clear(),
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

    /// Handles what tasks have reported: outcomes, connections and places.
    fn drain_finished(&mut self, finished: &mut UnboundedReceiver<Event>, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(event)) = finished.poll_recv(cx) {
            match event {
                Event::Reached(ticket) => self.scheduler.reach(&ticket.origin, self.now),
                Event::GivesUpPlace(ticket) => {
                    ticket.set_place(PlaceState::GivenUp);
                    self.scheduler.give_place_up(&ticket.origin, ticket.probe, self.now);
                }
                Event::WantsPlace(ticket, given) => {
                    ticket.set_place(PlaceState::Wanted);
                    self.want_places.push_back((ticket, given));
                }
                Event::Finished(ticket, outcome) => self.finish(&ticket, outcome),
            }
        }
    }

    /// Gives free places to requests that had given up theirs.
    fn give_places_back(&mut self) {
        while self.scheduler.has_place()
            && let Some((ticket, given)) = self.want_places.pop_front()
        {
            // Not to a request that has ended in the meantime.
            if ticket.place() == PlaceState::Wanted && !given.is_closed() {
                ticket.set_place(PlaceState::Taken);
                self.scheduler.take_place(&ticket.origin, ticket.probe);
                let _ = given.send(());
            }
        }
    }

    fn finish(&mut self, ticket: &Ticket, outcome: Outcome) {
        let Ticket { origin, probe, body, .. } = ticket;
        self.client.budget().remove_request(*body);
        let signal = match ticket.place() {
            // The request had no place, which says nothing about the origin.
            PlaceState::Wanted => OriginSignal::Nothing,
            PlaceState::Taken | PlaceState::GivenUp => origin_signal::of(&outcome),
        };
        if ticket.place() != PlaceState::Taken {
            ticket.set_place(PlaceState::Taken);
            self.scheduler.take_place(origin, *probe);
        }
        let is_expected = self.scheduler.finish(origin, *probe, signal, self.now);
        if let Ok(response) = &outcome.result
            && let Some(wait) = retry_after::deferral(response, SystemTime::now, self.retry.retry_after_max)
        {
            // Where redirects were followed, the reply speaks for the origin at their end.
            self.scheduler.defer(response.trace.target.origin(), self.now + wait, self.now);
        }
        let is_late =
            matches!(signal, OriginSignal::Unreachable(_)) && outcome.result.as_ref().is_err_and(Failure::timed_out);
        match (is_expected, is_late) {
            (true, _) => self.batcher.add_expected(outcome, self.now),
            (false, true) => self.batcher.add_late(outcome, self.now),
            (false, false) => self.outcomes.push(outcome),
        }
    }

    /// Takes back requests that have not started.
    fn take_back(&mut self, is_wanted: impl Fn(&Request) -> bool, reply: SyncSender<Vec<Key>>) {
        let removed = self.scheduler.remove(is_wanted, self.now);
        let budget = self.client.budget();
        let keys = removed.iter().map(|request| {
            budget.remove_request(request.body.len());
            request.key()
        });
        self.taken_back.push((reply, keys.collect()));
    }

    /// Answers the host, which waits. Comes after the events are handed over, so that the host does not take a
    /// request that was sent back for one that has started.
    fn reply_to_host(&mut self) {
        for (reply, keys) in self.taken_back.drain(..) {
            let _ = reply.send(keys);
        }
        if let Some(reply) = self.start_now.take() {
            let _ = reply.send(());
        }
    }

    fn start_requests(&mut self) {
        self.give_places_back();
        // Asked before each request, because the answer may change at any moment.
        while self.start_now.is_some() || (self.may_start)() {
            let Some(Started { item: request, probe, watch }) = self.scheduler.start(self.now) else { return };
            if !self.mailbox.begin(1) {
                // The host has closed the engine. The requests that wait are dropped when its command arrives.
                self.scheduler.finish(request.origin(), probe, OriginSignal::Nothing, self.now);
                self.scheduler.clear();
                return;
            }
            let key = request.key();
            let (origin, events) = (request.origin().clone(), self.events.clone());
            let ticket = Ticket::new(origin, probe, request.body.len(), watch, events);
            let (client, shown) = (self.client.clone(), ticket.clone());
            // Boxed, because tokio moves a task when it is made and when it ends.
            let work = Box::pin(async move { exchange::run(&client, request, Some(shown)).await });
            spawn_local(carry_out(key, work, move |outcome| ticket.tell(Event::Finished(ticket.clone(), outcome))));
        }
    }

    /// When there is something to do although nothing happens.
    fn next_timer(&self) -> Option<Instant> {
        self.scheduler.next_timer().into_iter().chain(self.batcher.next_release()).min()
    }

    fn hand_over(&mut self) {
        self.has_urgent_events |= self.scheduler.has_urgent_events();
        let SchedulerEvents { states, responsiveness, sent_back } = self.scheduler.events();
        let budget = self.client.budget();
        self.origin_events.states.append(states);
        self.origin_events.responsiveness.append(responsiveness);
        self.origin_events.sent_back.extend(sent_back.drain(..).map(|request| {
            budget.remove_request(request.body.len());
            request.key()
        }));
        self.batcher.release_into(&mut self.outcomes, self.now);
        if !self.outcomes.is_empty() || self.has_urgent_events {
            self.has_urgent_events = false;
            self.mailbox.finish(&mut self.outcomes, &mut self.origin_events);
        }
    }
}

/// The task of one request. A panic in it becomes the outcome of this request alone.
async fn carry_out(key: Key, work: impl Future<Output = Outcome>, finish: impl FnOnce(Outcome)) {
    let started = Instant::now();
    let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Outcome {
        key,
        result: Err(Failure::new(FailureKind::Internal("the request's task panicked".into()))),
        elapsed: started.elapsed(),
    });
    finish(outcome);
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
