//! The update where the worker is of a role that is neither a superuser nor the owner.

use testkit::{Call, Cluster, responses};

use super::old_version::NEWEST;
use super::{create, old_sql, update};
use crate::fixture::Fixture;

#[test]
fn case_14_the_update_goes_through_with_a_worker_of_a_plain_role() {
    let cluster = Cluster::builder().conf("pg_net.username", "app").start();
    let mut client = cluster.connect();
    let roles = "create role supa superuser login; create role web login; create role app login bypassrls;
                 grant pg_read_all_data, pg_monitor, pg_signal_backend to app";
    client.batch_execute(roles).unwrap();
    old_sql::install(&mut client);
    let mut fixture = Fixture::with(cluster);
    client.batch_execute("set role supa").unwrap();
    create(&mut client, NEWEST);
    let mut web = fixture.cluster.connect_as("web", "postgres");
    let url = fixture.receiver.url("/");
    Call::get(&url).send(&mut web);
    update(&mut client);
    Call::get(&url).send(&mut web);
    let answers = responses(&mut fixture.client, 2);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
    assert_eq!(
        fixture.value::<String>("select usename::text from pg_stat_activity where backend_type = 'pg_net'"),
        "app"
    );
}
