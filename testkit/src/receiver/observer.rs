use super::Request;

/// Hears of each request of a receiver, on the thread of its connection.
pub trait Observer: Send + Sync + 'static {
    /// It has come, whole; nothing has been answered yet.
    fn received(&self, request: &Request);

    /// It is done with: `whole` where a complete answer has been written.
    fn done(&self, request: &Request, whole: bool);
}
