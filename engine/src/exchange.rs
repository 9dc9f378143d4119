//! A request's way from its start to its outcome.

pub(crate) mod body;
pub(crate) mod charset;
pub(crate) mod coding;
pub(crate) mod hop;
pub(crate) mod redirect;
pub(crate) mod resend;

use std::rc::Rc;

use http::StatusCode;
use tokio::time::{sleep, timeout};

use crate::config::policy::Policy;
use crate::egress::rule::RuleSet;
use crate::exchange::hop::Hop;
use crate::exchange::resend::{Again, Sendings};
use crate::memory::body_meter::{BodyMemory, BodyMeter};
use crate::message::failure::{Failure, FailureKind};
use crate::message::outcome::{Content, Headers, Outcome, Response};
use crate::message::request::Request;
use crate::pool::client::{Client, Settings};
use crate::pool::lease::Lease;
use crate::pool::route::Route;
use crate::trace::progress::{Phase, Place, Progress, Received};
use crate::transport::reply::{ReplyHead, Resend, SendError};
use crate::transport::reply_body::ReplyBody;

/// Carries a request out within its deadline. `place` hears of it where the request has one among those in flight.
pub(crate) async fn run(client: &Rc<Client>, request: Request, place: Option<Rc<dyn Place>>) -> Outcome {
    let key = request.key();
    let progress = Progress::start(request.timeout, request.target.clone(), place);
    let followed = timeout(progress.limit(), follow(client, request, &progress)).await;
    let trace = progress.trace();
    let phases = trace.phases;
    let result = match followed {
        Ok(Ok(WholeReply { status, headers, content, detail, memory })) => {
            Ok(Response { status, headers, content, detail, trace, memory })
        }
        Ok(Err(failure)) => Err(keep_partial(client, &progress, failure).with_trace(trace)),
        Err(_) if progress.is_starved() => {
            Err(Failure::new(FailureKind::Memory { limit: client.budget().limit() }).with_trace(trace))
        }
        Err(_) => {
            let failure = Failure::new(FailureKind::Timeout { limit: progress.limit(), phases });
            Err(keep_partial(client, &progress, failure).with_trace(trace))
        }
    };
    Outcome { key, result, elapsed: phases.total() }
}

/// Adds what came of the body, if that is to be kept. It may end within a character.
fn keep_partial(client: &Client, progress: &Progress, failure: Failure) -> Failure {
    let Received { body, content_type } = std::mem::take(&mut *progress.received());
    if !client.settings().policy.keep_partial
        || body.is_empty()
        || matches!(failure.kind(), FailureKind::TooLarge { .. })
    {
        return failure;
    }
    let content = charset::content(charset::whole_characters(body), content_type.as_deref());
    let memory = BodyMeter::of_the_rest(client.budget(), progress.trace().target.origin(), content.len());
    failure.with_partial(content, memory)
}

/// A whole reply.
struct WholeReply {
    status: u16,
    headers: Headers,
    content: Content,
    detail: Option<Box<str>>,
    memory: BodyMemory,
}

/// Goes from hop to hop until a reply is not a redirect.
async fn follow(client: &Rc<Client>, request: Request, progress: &Progress) -> Result<WholeReply, Failure> {
    let settings = client.settings();
    let (rules, at_most_once) = (request.rules.clone(), request.at_most_once);
    let mut hop = Hop::first(request);
    let mut hops_left = settings.policy.max_redirects;
    loop {
        let reply = send(client, &settings, &hop, rules.as_deref(), at_most_once, progress).await?;
        let Some(location) = redirect::location(reply.status, &reply.headers) else {
            let decompress = hop.undoes_codings();
            let meter = BodyMeter::new(client.budget(), hop.target.origin(), progress);
            return reply.read(&settings.policy, decompress, meter, progress).await;
        };
        let location = location.into_owned();
        let Some(left) = hops_left.checked_sub(1) else {
            return Err(Failure::new(FailureKind::TooManyRedirects));
        };
        hops_left = left;
        let status = reply.status;
        reply.skip().await;
        hop = redirect::follow(hop, status, &location)?;
        progress.redirect(&hop.target);
    }
}

/// A reply whose body has not been read from its connection.
struct Reply<'a> {
    status: StatusCode,
    headers: Headers,
    body: ReplyBody,
    lease: Lease<'a>,
}

/// Sends the request of one hop, more than once if necessary.
async fn send<'a>(
    client: &'a Rc<Client>,
    settings: &'a Settings,
    hop: &Hop,
    rules: Option<&RuleSet>,
    at_most_once: bool,
    progress: &Progress,
) -> Result<Reply<'a>, Failure> {
    let route = Route::new(hop.target.origin(), rules);
    let mut sendings = Sendings::new(at_most_once);
    let mut lease = match client.pooled(&route, settings) {
        Some(lease) => lease,
        // Opening is rare and its future large: kept out of every request's task.
        None => Box::pin(client.connection(&route, &hop.target, rules, settings, progress, false)).await?,
    };
    loop {
        progress.enter(Phase::Exchange);
        let reused = lease.is_reused();
        let SendError { failure, resend } = match send_on(lease, hop, settings, progress).await {
            Ok(reply) => return Ok(reply),
            Err(error) => error,
        };
        if matches!(resend, Resend::OverHttp1 { .. }) {
            client.want_http1(&route);
        }
        let Some(Again { anew, pause }) = sendings.again(resend, reused) else { return Err(failure) };
        progress.disconnect();
        lease = Box::pin(async {
            if !pause.is_zero() {
                sleep(pause).await;
            }
            let pooled = if anew { None } else { client.pooled(&route, settings) };
            match pooled {
                Some(lease) => Ok(lease),
                None => client.connection(&route, &hop.target, rules, settings, progress, anew).await,
            }
        })
        .await?;
    }
}

async fn send_on<'a>(
    mut lease: Lease<'a>,
    hop: &Hop,
    settings: &Settings,
    progress: &Progress,
) -> Result<Reply<'a>, SendError> {
    progress.reach(lease.remote());
    progress.speak(lease.version());
    let message = match lease.forwards() {
        None if lease.http2().is_some() => hop.http2_message(settings),
        proxy => Ok(hop.http1_message(settings, proxy)),
    };
    let message = message.map_err(|failure| SendError { failure, resend: Resend::Never })?;
    let sent = lease.send(message).await;
    let ReplyHead { status, headers, body } = sent.map_err(|error| match lease.refusal() {
        Some(failure) => SendError { failure, resend: Resend::Never },
        None => error,
    })?;
    Ok(Reply { status, headers, body, lease })
}

impl Reply<'_> {
    /// Reads the whole reply.
    async fn read(
        mut self,
        policy: &Policy,
        decompress: bool,
        mut meter: BodyMeter<'_>,
        progress: &Progress,
    ) -> Result<WholeReply, Failure> {
        let max_bytes = policy.max_response_bytes;
        if policy.keep_partial {
            progress.receive(self.headers.get("content-type"));
        }
        let too_large = || Failure::new(FailureKind::TooLarge { limit: max_bytes });
        let mut body =
            body::read(&mut self.body, max_bytes, &mut meter, progress).await.map_err(|error| match error {
                body::ReadError::TooLarge => too_large(),
                body::ReadError::Broken(error) => self.lease.body_failure(&error),
            })?;
        self.lease.give_back(&self.headers);
        let mut detail = None;
        if decompress && coding::is_coded(&self.headers) {
            // Rare enough to be kept out of every request's task.
            let undone = Box::pin(coding::undo(body, &self.headers, max_bytes, &mut meter)).await;
            (body, detail) = undone.map_err(|coding::TooLarge| too_large())?;
            detail = detail.map(|why| format!("the body is not in its Content-Encoding: {why}").into());
        }
        let content = charset::content(body, self.headers.get("content-type"));
        if matches!(&content, Content::Text(text) if text.len() > max_bytes) {
            return Err(too_large());
        }
        let memory = meter.close(content.len());
        Ok(WholeReply { status: self.status.as_u16(), headers: self.headers, content, detail, memory })
    }

    /// Gives the connection back if the body is short; otherwise opening another one is cheaper.
    async fn skip(mut self) {
        if body::skip(&mut self.body).await {
            self.lease.give_back(&self.headers);
        }
    }
}

#[cfg(test)]
mod tests;
