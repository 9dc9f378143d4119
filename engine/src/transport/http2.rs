use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::FutureExt;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::task::spawn_local;

use crate::message::failure::{Failure, FailureKind};
use crate::message::outcome::Headers;
use crate::transport::classify;
use crate::transport::reply::{MAX_HEAD, ReplyHead, Resend, SendError};
use crate::transport::reply_body::ReplyBody;
use crate::transport::wire_tap::{Faults, WireLog, WireTap};

/// Bytes of a reply's body that the server may send ahead of us on one stream, and on all of them.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 5 << 20;

/// A share in an HTTP/2 connection (RFC 9113), which is open as long as there is one.
pub(crate) struct Http2 {
    shared: Rc<Shared>,
    /// The stream that this share may use. None where it only keeps the connection open.
    place: Option<Place>,
}

/// What all shares have in common.
struct Shared {
    // Dropped before `alive`, so that the task of the connection finds no share left.
    sender: SendRequest<Bytes>,
    log: Rc<WireLog>,
    /// How many streams the server takes at once.
    limit: Cell<usize>,
    /// How many places are taken, and how many of them are for streams that are not begun.
    taken: Cell<usize>,
    unbegun: Cell<usize>,
    /// Streams that were begun.
    begun: Cell<usize>,
    /// How many streams it carries in its life, as far as is known.
    lifetime: Cell<usize>,
    /// Whether it should carry no further requests, because it seems dead or the server takes no more.
    retired: Cell<bool>,
    /// Whether the server has said how many streams it takes.
    settled: Cell<bool>,
    /// Lets other requests open connections after this one has settled.
    turn: Cell<Option<OwnedMutexGuard<()>>>,
    /// Called when there is room for more.
    on_room: RefCell<Option<Rc<dyn Fn()>>>,
    /// Wakes the connection's task when it goes.
    _alive: oneshot::Sender<Infallible>,
}

/// The right to one stream.
struct Place {
    shared: Rc<Shared>,
    /// Which of the connection's streams it is, from 1, once it is begun.
    begun: Option<usize>,
    /// How much had been read then.
    reads_before: u64,
}

impl Http2 {
    /// Speaks HTTP/2, and takes the first place.
    pub(crate) async fn over<S>(stream: S) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (tap, log) = WireTap::new(stream);
        let (sender, connection) = Builder::new()
            .max_header_list_size(MAX_HEAD as u32)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false)
            // Until the server has said how many it takes: what is beyond that it would refuse.
            .initial_max_send_streams(1)
            .handshake(tap)
            .await
            .map_err(|error| Failure::new(FailureKind::Connect).with_detail(classify::root(&error)))?;
        let (alive, gone) = oneshot::channel();
        let shared = Rc::new(Shared {
            sender,
            log,
            limit: Cell::new(1),
            taken: Cell::new(0),
            unbegun: Cell::new(0),
            begun: Cell::new(0),
            lifetime: Cell::new(usize::MAX),
            retired: Cell::new(false),
            settled: Cell::new(false),
            turn: Cell::default(),
            on_room: RefCell::default(),
            _alive: alive,
        });
        spawn_local(drive(connection, gone, Rc::downgrade(&shared)));
        let place = Some(Place::take(&shared));
        Ok(Self { shared, place })
    }

    /// A share that keeps the connection open and takes no place.
    pub(crate) fn keep(&self) -> Self {
        Self { shared: self.shared.clone(), place: None }
    }

    /// A share with a place of its own; none where there is no room for another stream.
    pub(crate) fn share(&self) -> Option<Self> {
        self.shared.has_room().then(|| Self { shared: self.shared.clone(), place: Some(Place::take(&self.shared)) })
    }

    /// Whether a share has a place.
    pub(crate) fn is_in_use(&self) -> bool {
        self.shared.taken.get() > 0
    }

    /// Whether the server takes no stream at the moment.
    pub(crate) fn is_barred(&self) -> bool {
        self.is_open() && self.shared.limit.get() == 0
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.shared.retired.get() && self.shared.begun.get() < self.shared.lifetime.get()
    }

    /// Limits how many streams it carries in its life, if that is known.
    pub(crate) fn limit_lifetime(&self, streams: Option<usize>) {
        self.shared.lifetime.set(streams.unwrap_or(usize::MAX));
    }

    /// Holds `turn` until the server has said how many streams it takes, or the connection ends. Calls `on_room`
    /// whenever the server takes more streams than before, or takes none any more.
    pub(crate) fn settle(&self, turn: Option<OwnedMutexGuard<()>>, on_room: Rc<dyn Fn()>) {
        self.shared.on_room.replace(Some(on_room));
        if !self.shared.settled.get() {
            self.shared.turn.set(turn);
        }
    }

    // The request is handed to h2 here and now: it is large, and the future is smaller for not having it.
    pub(crate) fn send(&mut self, request: Request<Full<Bytes>>) -> impl Future<Output = Result<ReplyHead, SendError>> {
        let response = self.begin(request);
        async {
            let (parts, stream) = response?.await.map_err(|error| self.send_error(&error))?.into_parts();
            let declared = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
            let body = ReplyBody::Http2 { stream, declared };
            Ok(ReplyHead { status: parts.status, headers: fields(&parts.headers), body })
        }
    }

    fn begin(&mut self, request: Request<Full<Bytes>>) -> Result<ResponseFuture, SendError> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().now_or_never().and_then(Result::ok).map_or_else(Bytes::new, |body| body.to_bytes());
        if !body.is_empty() {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        // A sender of its own: one that has sent a request may have to wait until it can send the next.
        let mut sender = self.shared.sender.clone();
        let begun = sender.send_request(Request::from_parts(parts, ()), body.is_empty());
        let (response, mut stream) = begun.map_err(|error| self.begin_error(&error))?;
        let number = self.shared.begun.get() + 1;
        self.shared.begun.set(number);
        if let Some(place) = &mut self.place {
            place.begin(number);
        }
        if !body.is_empty() {
            // It is sent as the server makes room for it. An error is the response's, too.
            let _ = stream.send_data(body, true);
        }
        Ok(response)
    }

    /// The request was not handed over: the connection has ended, or HTTP/2 cannot carry the request.
    fn begin_error(&self, error: &h2::Error) -> SendError {
        let resend = match classify::unprocessed(error) {
            Some(resend) => self.shared.turn_away(resend, self.shared.begun.get() + 1),
            None if error.is_io() || error.is_go_away() => {
                self.shared.retired.set(true);
                Resend::Unsent
            }
            None => Resend::Never,
        };
        SendError { failure: classify::broken_stream(error, false), resend }
    }

    fn send_error(&self, error: &h2::Error) -> SendError {
        let number = self.place.as_ref().and_then(|place| place.begun);
        let resend = match (classify::unprocessed(error), number) {
            (Some(resend), Some(number)) if error.is_go_away() => self.shared.turn_away(resend, number),
            (Some(resend), _) => resend,
            (None, _) if error.is_io() => Resend::Ended,
            (None, _) => Resend::Never,
        };
        if matches!(resend, Resend::OverHttp1 { .. }) {
            self.shared.retired.set(true);
        }
        SendError { failure: classify::broken_stream(error, false), resend }
    }

    /// How many streams the server has processed, if it turned away others that came at the same time.
    pub(crate) fn lifetime(&self) -> Option<usize> {
        let lifetime = self.shared.lifetime.get();
        (self.shared.retired.get() && lifetime < usize::MAX && self.shared.taken.get() > 1).then_some(lifetime)
    }

    pub(crate) fn faults(&self) -> Faults {
        self.shared.log.faults()
    }

    /// Drops a request that is not over, which resets its stream.
    ///
    /// If the server sent nothing at all since the request, on any stream, the connection may be dead. TCP would take
    /// a quarter of an hour to find out, and all requests until then would time out.
    pub(crate) fn abort(self) {
        let silent = |place: &Place| place.begun.is_some() && self.shared.log.reads() == place.reads_before;
        if self.place.as_ref().is_some_and(silent) {
            self.shared.retired.set(true);
        }
    }
}

impl Shared {
    fn has_room(&self) -> bool {
        !self.retired.get()
            && self.begun.get() + self.unbegun.get() < self.lifetime.get()
            && self.taken.get() < self.limit.get()
    }

    /// The server goes away and does not process the stream of this number and those after it.
    fn turn_away(&self, resend: Resend, number: usize) -> Resend {
        self.retired.set(true);
        self.lifetime.set(self.lifetime.get().min(number - 1));
        match resend {
            Resend::Refused { for_now } => Resend::Refused { for_now: for_now || self.lifetime.get() == 0 },
            other => other,
        }
    }

    /// Looks at the state of the connection after its task has run.
    fn look(&self, ended: bool) {
        let ready = self.sender.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
        // It is not ready for another one where the server goes away.
        let ends = (ended || matches!(ready, Poll::Ready(Err(_)))) && !self.retired.replace(true);
        let limit = self.sender.current_max_send_streams();
        let grows = limit > self.limit.replace(limit);
        // A server says so before it says anything else (RFC 9113 §3.4).
        if ended || self.log.reads() > 0 {
            self.settled.set(true);
            self.turn.take();
        }
        let on_room = self.on_room.borrow().clone();
        if (grows || ends)
            && let Some(on_room) = on_room
        {
            on_room();
        }
    }
}

/// Reads and writes until the connection ends. Its errors reach the requests by their own futures.
async fn drive<S>(connection: Connection<WireTap<S>, Bytes>, gone: oneshot::Receiver<Infallible>, shared: Weak<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut connection, mut gone) = (pin!(connection), gone.fuse());
    poll_fn(|cx| {
        // h2 does not notice by itself that no share is left that could send something.
        let _ = gone.poll_unpin(cx);
        let ended = connection.as_mut().poll(cx);
        if let Some(shared) = shared.upgrade() {
            shared.look(ended.is_ready());
        }
        ended.map(drop)
    })
    .await;
}

impl Place {
    fn take(shared: &Rc<Shared>) -> Self {
        shared.taken.set(shared.taken.get() + 1);
        shared.unbegun.set(shared.unbegun.get() + 1);
        Self { shared: shared.clone(), begun: None, reads_before: 0 }
    }

    fn begin(&mut self, number: usize) {
        self.shared.unbegun.set(self.shared.unbegun.get() - 1);
        (self.begun, self.reads_before) = (Some(number), self.shared.log.reads());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.taken.set(self.shared.taken.get() - 1);
        if self.begun.is_none() {
            self.shared.unbegun.set(self.shared.unbegun.get() - 1);
        }
    }
}

fn fields(map: &HeaderMap) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in map {
        headers.push(name.as_str().as_bytes(), value.as_bytes());
    }
    headers
}
