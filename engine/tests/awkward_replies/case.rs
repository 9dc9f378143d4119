/// A reply that servers should not send, and what becomes of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The bytes for the first request, the second and so on; the last ones for all further requests. `{address}` in
    /// them stands for the server's own.
    pub(crate) replies: Vec<Vec<u8>>,
    pub(crate) end: End,
    /// The outcome: status and body, or the name of the failure's kind.
    pub(crate) ours: &'static str,
    /// Fields that the outcome has.
    pub(crate) fields: Vec<(&'static str, &'static str)>,
    /// Why it is the outcome.
    pub(crate) because: &'static str,
    /// Why curl has another one, where it has.
    pub(crate) unlike_curl: &'static str,
}

/// What the server does after a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    /// It waits for the next request.
    KeepOpen,
    /// It closes in a way that tells the client of an error.
    Reset,
    /// It says the same again and again.
    Repeat,
}

impl Case {
    /// The server closes after the reply.
    pub(crate) fn new(name: &'static str, reply: impl AsRef<[u8]>, ours: &'static str, because: &'static str) -> Self {
        let replies = vec![reply.as_ref().to_vec()];
        Self { name, replies, end: End::Close, ours, fields: Vec::new(), because, unlike_curl: "" }
    }

    pub(crate) fn then(mut self, reply: impl AsRef<[u8]>) -> Self {
        self.replies.push(reply.as_ref().to_vec());
        self
    }

    pub(crate) fn ends(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    pub(crate) fn with_field(mut self, name: &'static str, value: &'static str) -> Self {
        self.fields.push((name, value));
        self
    }

    pub(crate) fn unlike_curl(mut self, why: &'static str) -> Self {
        self.unlike_curl = why;
        self
    }

    /// Whether it takes a time-out to end it.
    pub(crate) fn hangs(&self) -> bool {
        self.ours == "timeout"
    }
}
