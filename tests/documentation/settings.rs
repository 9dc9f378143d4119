//! The page on settings has each of them as the server has it.

use std::collections::BTreeMap;

use testkit::Cluster;

use super::page;

/// Name and default of each row, and whether it says that a reload is enough.
fn documented() -> BTreeMap<String, (String, String)> {
    let text = page("docs/settings.md").text;
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `pg_net."));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.trim_end_matches('|').split(" |").map(str::trim).collect();
        let [name, default, _, changed] = cells[..] else { panic!("four cells: {row}") };
        (format!("pg_net.{}", name.trim_matches('`')), (default.trim_matches('`').to_owned(), changed.to_owned()))
    });
    rows.collect()
}

#[test]
fn every_setting_has_its_row_with_the_default_and_who_changes_it() {
    let cluster = Cluster::builder().stock().start_ready();
    let mut client = cluster.connect();
    let rows = client
        .query(
            "select name, case when unit is null then boot_val else current_setting(name) end, context, source
               from pg_settings where name like 'pg\\_net.%' order by name",
            &[],
        )
        .unwrap();
    let mut documented = documented();
    for row in rows {
        let (name, default, context): (String, Option<String>, &str) = (row.get(0), row.get(1), row.get(2));
        let (said, changed) = documented.remove(&name).unwrap_or_else(|| panic!("{name} stands in no row"));
        let default = default.unwrap_or_default();
        assert_eq!(said.replace(' ', ""), default.replace(' ', ""), "{name}");
        match context {
            "superuser" => assert!(changed.starts_with("superuser, `ALTER ROLE`, reload"), "{name}: {changed}"),
            "sighup" => assert!(changed.starts_with("reload"), "{name}: {changed}"),
            "user" => assert!(changed.starts_with("anyone"), "{name}: {changed}"),
            other => panic!("{name}: {other}"),
        }
    }
    assert!(documented.is_empty(), "settings that are none: {documented:?}");
}
