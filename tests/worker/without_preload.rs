//! A server that was not told to preload the library.

use testkit::Cluster;

use crate::fixture::error_of;

#[test]
fn create_extension_fails_and_says_what_to_add_where() {
    let cluster = Cluster::builder().no_preload().start();
    let mut client = cluster.connect();
    let error = client.batch_execute("create extension pg_net").unwrap_err();
    let error = error.as_db_error().unwrap();
    let words =
        format!("{} {} {}", error.message(), error.detail().unwrap_or_default(), error.hint().unwrap_or_default());
    assert!(words.contains("shared_preload_libraries") && words.contains("pg_net"), "{words}");
    // And the session goes on.
    client.batch_execute("select 1").unwrap();
    assert_eq!(error_of(&mut client, "select net.wake()").0, "3F000");
}
