use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::pool::route::Route;

/// Beyond this many routes, those that are not in use are forgotten.
const MAX_UNUSED: usize = 1000;

/// What is known of routes. An entry is made when it is first asked for. Where they are many, those that are not in
/// use are forgotten.
pub(crate) struct RouteMap<T>(RefCell<HashMap<Route, Rc<T>>>);

impl<T> Default for RouteMap<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Default> RouteMap<T> {
    pub(crate) fn get(&self, route: &Route) -> Rc<T> {
        let mut entries = self.0.borrow_mut();
        if let Some(entry) = entries.get(route) {
            return entry.clone();
        }
        if entries.len() >= MAX_UNUSED {
            entries.retain(|_, entry| Rc::strong_count(entry) > 1);
        }
        entries.entry(route.clone()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::address::target::Target;

    fn route(number: usize) -> Route {
        Route::new(Target::parse(&format!("http://host-{number}/")).unwrap().origin(), None)
    }

    #[test]
    fn an_entry_is_the_same_until_nobody_holds_it_and_there_are_many() {
        let entries = RouteMap::<Cell<usize>>::default();
        let held = entries.get(&route(0));
        held.set(7);
        for number in 1..=MAX_UNUSED {
            entries.get(&route(number)).set(number);
        }
        assert_eq!(entries.get(&route(0)).get(), 7);
        assert_eq!(entries.get(&route(1)).get(), 0);
        assert!(entries.0.borrow().len() < MAX_UNUSED);
    }
}
