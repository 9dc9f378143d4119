use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared, WeakShared};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use crate::failure::{Failure, FailureKind};

/// The addresses of a host. The port is 0 where the resolver gave them.
pub(crate) type Addresses = Arc<[SocketAddr]>;

type Lookup = LocalBoxFuture<'static, Result<Addresses, Failure>>;

/// Asks for the addresses of a name, once for all the requests that want to know at the same time. Who asks later asks
/// anew: no answer is kept.
pub(crate) struct Resolver {
    under_way: RefCell<HashMap<Box<str>, WeakShared<Lookup>>>,
    ask: Box<dyn Fn(String) -> Lookup>,
}

impl Resolver {
    /// Asks the system.
    pub(crate) fn system() -> Self {
        Self::asking(|host| look_up(host).boxed_local())
    }

    fn asking(ask: impl Fn(String) -> Lookup + 'static) -> Self {
        Self { under_way: RefCell::default(), ask: Box::new(ask) }
    }

    /// Answers with what `answer` says, for tests.
    #[cfg(test)]
    pub(crate) fn answering(answer: impl Fn(&str) -> Vec<SocketAddr> + 'static) -> Self {
        Self::asking(move |host| std::future::ready(Ok(answer(&host).into())).boxed_local())
    }

    /// The addresses of `host`, in the order in which they should be tried (RFC 6724), at least one.
    pub(crate) async fn resolve(&self, host: &str) -> Result<Addresses, Failure> {
        let lookup = self.join(host);
        lookup.await
    }

    fn join(&self, host: &str) -> Shared<Lookup> {
        let mut under_way = self.under_way.borrow_mut();
        if let Some(lookup) = under_way.get(host).and_then(WeakShared::upgrade)
            && lookup.peek().is_none()
        {
            return lookup;
        }
        // The one place where the map can shrink; a lookup costs far more than the walk.
        under_way.retain(|_, lookup| lookup.upgrade().is_some());
        let lookup = (self.ask)(host.to_owned()).shared();
        if let Some(weak) = lookup.downgrade() {
            under_way.insert(host.into(), weak);
        }
        lookup
    }
}

async fn look_up(host: String) -> Result<Addresses, Failure> {
    let resolve_failure = || Failure::new(FailureKind::Resolve);
    let name = host.parse::<Name>().map_err(|error| resolve_failure().with_detail(error))?;
    let found = GaiResolver::new().call(name).await.map_err(|error| resolve_failure().with_detail(error))?;
    let addresses = found.collect::<Addresses>();
    if addresses.is_empty() {
        return Err(resolve_failure().with_detail("the name has no address"));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_ask_at_the_same_time_share_the_answer() {
        let resolver = Resolver::system();
        let (first, second) = (resolver.join("a.example"), resolver.join("a.example"));
        assert!(first.ptr_eq(&second));
        assert!(!first.ptr_eq(&resolver.join("b.example")));
        drop((first, second));
        let later = resolver.join("a.example");
        assert_eq!(resolver.under_way.borrow().len(), 1);
        assert!(later.peek().is_none());
    }
}
