use futures_util::future::join_all;
use tokio::runtime::{Builder, LocalOptions};

use super::*;

#[test]
fn who_has_little_time_waits_for_a_connection_for_a_quarter_of_it() {
    let limit = Duration::from_millis(80);
    let target = Target::parse("http://crowded.example/").unwrap();
    let route = Route::new(target.origin(), None);
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let client = Client::with_resolver(Policy::default(), Resolver::system());
        let settings = client.settings();
        let _taken: Vec<_> = (0..32).map(|_| client.slots.get(&route).take()).collect();
        let turns = (0..200).map(|_| async {
            let progress = Progress::start(limit, target.clone(), None);
            // Two clocks of one runtime: on a machine that stands still for a while the earlier one still comes first.
            timeout(limit * 3 / 4, client.acquire(&route, &settings, &progress)).await
        });
        // Held, so that none gets its turn from one that goes.
        for turn in join_all(turns).await {
            assert!(matches!(turn, Ok(Acquired::Slot(_))));
        }
    });
}
