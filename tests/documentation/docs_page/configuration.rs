//! "Configuration".

use std::collections::HashMap;
use std::thread::sleep;
use std::time::Duration;

use testkit::{Cluster, PATIENCE, wait_until};

use crate::fixture::Fixture;

#[test]
fn get_current_settings() {
    let mut fixture = Fixture::new();
    let rows = fixture
        .client
        .query(
            r#"select
                "name",
                "setting"
            from pg_settings
            where "name" like 'pg_net%';"#,
            &[],
        )
        .unwrap();
    let settings: HashMap<String, Option<String>> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(settings["pg_net.batch_size"].as_deref(), Some("200"));
    assert_eq!(settings["pg_net.ttl"].as_deref(), Some("6 hours"));
    assert_eq!(settings["pg_net.database_name"].as_deref(), Some("postgres"));
    // A string setting without a value shows as an empty text or as null, depending on how it came to be none.
    assert_eq!(settings["pg_net.username"].as_deref().unwrap_or_default(), "");
    assert!(settings.contains_key("pg_net.max_response_bytes"));
    assert!(settings.contains_key("pg_net.max_in_flight"));
    assert!(settings.contains_key("pg_net.max_in_flight_per_origin"));
}

/// The server's file keeps responses for a second; the page's commands make that 24 hours.
#[test]
fn alter_settings_and_restart_the_worker() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.ttl", "1 second").start_ready());
    fixture.assert_works();
    wait_until("the response's expiry", PATIENCE, || {
        fixture.value::<i64>("select count(*) from net._http_response") == 0
    });
    let before = fixture.cluster.worker_pid(&mut fixture.client);

    fixture
        .client
        .batch_execute(
            r#"alter role "postgres" set pg_net.ttl to '24 hours';
            alter role "postgres" set pg_net.batch_size to 500;"#,
        )
        .unwrap();
    assert!(fixture.value::<bool>("select net.worker_restart();"));
    fixture.client.batch_execute("select net.wait_until_running()").unwrap();

    assert_ne!(fixture.cluster.worker_pid(&mut fixture.client), before);
    fixture.assert_works();
    // Time itself is what this is about: well beyond the second that the file says.
    sleep(Duration::from_millis(2500));
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 1);
    fixture.client = fixture.cluster.connect();
    assert_eq!(fixture.value::<String>("show pg_net.ttl"), "24 hours");
    assert_eq!(fixture.value::<String>("show pg_net.batch_size"), "500");
}
