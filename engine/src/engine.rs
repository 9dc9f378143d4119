use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc;

use crate::config::policy::Policy;
use crate::dispatch::dispatcher::{self, Command};
use crate::dispatch::origin_health::OriginEvents;
use crate::dispatch::outcome_mailbox::OutcomeMailbox;
use crate::message::key::Key;
use crate::message::outcome::Outcome;
use crate::message::request::Request;

/// Sends requests, on a thread of its own.
///
/// The host hands requests over with [`submit`](Self::submit), is notified when there are outcomes, and takes them with
/// [`drain`](Self::drain). No method waits for the network. Dropping the engine is [`stop`](Self::stop).
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// use engine::{Engine, FailureKind, Policy, Request, Target};
///
/// let (wake, woken) = mpsc::channel();
/// let engine = Engine::start(Policy::default(), move || _ = wake.send(())).unwrap();
/// // Port 1 of this machine: nothing listens there.
/// let target = Target::parse("http://127.0.0.1:1/").unwrap();
/// let request = Request::new(7, "GET", target, Default::default(), Duration::from_secs(2)).unwrap();
/// engine.submit(vec![request]).unwrap();
///
/// woken.recv().unwrap();
/// let mut outcomes = Vec::new();
/// engine.drain(&mut outcomes);
/// assert_eq!(outcomes[0].key, 7);
/// assert_eq!(outcomes[0].result.as_ref().unwrap_err().kind(), &FailureKind::Connect);
/// ```
pub struct Engine {
    commands: mpsc::UnboundedSender<Command>,
    mailbox: Arc<OutcomeMailbox>,
    thread: Option<JoinHandle<()>>,
}

/// Why an [`Engine`] could not be started: the system gave it no thread, or no means to wait for the network.
#[derive(Debug)]
pub struct StartError(io::Error);

/// Threads that read the files of a policy, at a time.
const MAX_BLOCKING_THREADS: usize = 16;

impl Engine {
    /// Starts the engine's thread, named `pg_net engine`.
    ///
    /// `notify` is called from that thread when outcomes have become available, once until the next
    /// [`drain`](Self::drain); and when the thread ends. It should only wake the host.
    ///
    /// The thread, and those that it starts for files and look-ups, inherit the caller's signal mask: a host whose signal
    /// handlers belong to its main thread masks all signals around this call.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread or file descriptors. Missing root certificates are not an
    /// error here; they fail the https requests.
    pub fn start(policy: Policy, notify: impl Fn() + Send + Sync + 'static) -> Result<Self, StartError> {
        Self::start_if(policy, || true, notify)
    }

    /// Like [`start`](Self::start), with a say in when requests start: `may_start` is asked before each, on the engine's
    /// thread. While it says no, none does; [`ask_again`](Self::ask_again) tells the engine that it may say yes again. It
    /// should only look at something.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_if(
        policy: Policy,
        may_start: impl Fn() -> bool + Send + 'static,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let may_start = Box::new(may_start);
        let (commands, receiver) = mpsc::unbounded_channel();
        let mailbox = Arc::new(OutcomeMailbox::new(Box::new(notify)));
        let (report_start, start) = std_mpsc::sync_channel(1);
        let on_thread = mailbox.clone();
        let thread = thread::Builder::new()
            .name("pg_net engine".to_owned())
            .spawn(move || {
                let runtime = match build_runtime() {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(report_start.send(Err(error))),
                };
                let _ = report_start.send(Ok(()));
                let work = dispatcher::run(receiver, on_thread.clone(), policy, may_start);
                // The hook has reported a panic. What is left is to close the connections and to tell the host.
                let _ = catch_unwind(AssertUnwindSafe(|| runtime.block_on(work)));
                // A thread that reads a file is not waited for, as little as a look-up that hangs.
                runtime.shutdown_background();
                on_thread.mark_dead();
            })
            .map_err(StartError)?;
        let started = start.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended at once")));
        started.map_err(StartError)?;
        Ok(Self { commands, mailbox, thread: Some(thread) })
    }

    /// Hands requests over. They start in order for each origin, as soon as the policy's limits allow.
    ///
    /// # Errors
    ///
    /// Gives the requests back if the engine's thread has died.
    pub fn submit(&self, requests: Vec<Request>) -> Result<(), Vec<Request>> {
        self.commands.send(Command::Submit(requests)).map_err(|unsent| match unsent.0 {
            Command::Submit(requests) => requests,
            _ => unreachable!("a channel gives back what was sent"),
        })
    }

    /// Takes back those of these requests that were handed over and have not started. Gives their keys; they will have no
    /// outcome. The others are under way, or have ended, or were [sent back](Self::take_events).
    ///
    /// Waits for the engine's thread, which answers at once. Nothing is taken back where it has died.
    pub fn take_back(&self, keys: Vec<Key>) -> Vec<Key> {
        self.ask(|reply| Command::TakeBack(keys, reply))
    }

    /// [Takes back](Self::take_back) all that have not started.
    pub fn take_all_back(&self) -> Vec<Key> {
        self.ask(Command::TakeAllBack)
    }

    /// Starts what the policy's limits allow, whatever the host said to [`start_if`](Self::start_if), and returns when it
    /// has started.
    pub fn start_now(&self) {
        self.ask(Command::StartNow);
    }

    /// Tells the engine that the answer of the host may have changed since [`start_if`](Self::start_if).
    pub fn ask_again(&self) {
        let _ = self.commands.send(Command::AskAgain);
    }

    /// Sends a command and waits for its answer; that of a thread that has died is the empty one.
    fn ask<T: Default>(&self, command: impl FnOnce(std_mpsc::SyncSender<T>) -> Command) -> T {
        let (reply, answer) = std_mpsc::sync_channel(1);
        let _ = self.commands.send(command(reply));
        answer.recv().unwrap_or_default()
    }

    /// Moves all finished outcomes into `into`, in the order in which they finished.
    pub fn drain(&self, into: &mut Vec<Outcome>) {
        self.mailbox.drain(into, false);
    }

    /// Like [`drain`](Self::drain), for a host that lets outcomes gather: if it gets some, it comes again by itself, and is not
    /// notified until then.
    pub fn drain_and_come_again(&self, into: &mut Vec<Outcome>) {
        self.mailbox.drain(into, true);
    }

    /// What has become of origins since the last call, and which requests come back because theirs is
    /// [deferred](crate::OriginHealth::Deferred).
    ///
    /// To be called after [`drain`](Self::drain): the host is notified of what comes after that.
    pub fn take_events(&self) -> OriginEvents {
        self.mailbox.take_events()
    }

    /// Applies other limits to what starts from now on.
    pub fn set_policy(&self, policy: Policy) {
        let _ = self.commands.send(Command::SetPolicy(Box::new(policy)));
    }

    /// Reads the files that the policy names again, for the connections that are opened from now on. Connections that
    /// wait for reuse are closed.
    ///
    /// [`set_policy`](Self::set_policy) does so only if it names other files.
    pub fn reload_files(&self) {
        let _ = self.commands.send(Command::ReloadFiles);
    }

    /// False once the thread has ended, which only a fault of the engine does.
    pub fn is_alive(&self) -> bool {
        self.mailbox.is_alive()
    }

    /// Stops starting requests. Those handed over but not started are dropped without an outcome, those under way go on.
    ///
    /// Returns at once. When the last one under way is done, its outcome comes with a notification.
    pub fn close(&self) {
        self.mailbox.close();
        let _ = self.commands.send(Command::DropWaiting);
    }

    /// How many requests are under way: started, and their outcome not yet ready for [`drain`](Self::drain).
    ///
    /// After [`close`](Self::close) it only falls.
    pub fn under_way(&self) -> usize {
        self.mailbox.under_way()
    }

    /// Aborts what is under way, without outcomes, and waits for the thread to end, which it does at once.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic there was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("alive", &self.is_alive()).field("under_way", &self.under_way()).finish()
    }
}

fn build_runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .thread_name("pg_net files")
        .build_local(LocalOptions::default())
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not start the HTTP engine: {}", self.0)
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
