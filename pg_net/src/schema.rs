//! The schema for `cargo pgrx`, which puts an install script together from what the crate declares. `make` needs none of
//! this: it concatenates the same files in the same order.

use pgrx::extension_sql_file;

extension_sql_file!("../../sql/10-schema.new.sql", name = "schema", bootstrap);
extension_sql_file!("../../sql/15-delivery.sql", name = "delivery", requires = ["schema"]);
extension_sql_file!("../../sql/20-row-keys.sql", name = "row_keys", requires = ["delivery"]);
extension_sql_file!("../../sql/25-copies.sql", name = "copies", requires = ["row_keys"]);
extension_sql_file!("../../sql/30-tables.new.sql", name = "tables", requires = ["copies"]);
extension_sql_file!("../../sql/35-dead-letter.sql", name = "dead_letter", requires = ["tables"]);
extension_sql_file!("../../sql/36-held-responses.sql", name = "held_responses", requires = ["dead_letter"]);
extension_sql_file!("../../sql/37-user-triggers.sql", name = "user_triggers", requires = ["held_responses"]);
extension_sql_file!("../../sql/40-table-rules.sql", name = "table_rules", requires = ["user_triggers"]);
extension_sql_file!("../../sql/50-requests.sql", name = "requests", requires = ["table_rules"]);
extension_sql_file!("../../sql/51-http-request.sql", name = "http_request", requires = ["requests"]);
extension_sql_file!("../../sql/52-forms.sql", name = "forms", requires = ["http_request"]);
extension_sql_file!("../../sql/60-worker.sql", name = "worker", requires = ["forms"]);
extension_sql_file!("../../sql/61-version.sql", name = "version", requires = ["worker"]);
extension_sql_file!("../../sql/65-origins.sql", name = "origins", requires = ["version"]);
extension_sql_file!("../../sql/70-responses.sql", name = "responses", requires = ["origins"]);
extension_sql_file!("../../sql/72-waiting.sql", name = "waiting", requires = ["responses"]);
extension_sql_file!("../../sql/73-cancel.sql", name = "cancel", requires = ["waiting"]);
extension_sql_file!("../../sql/75-durability.sql", name = "durability", requires = ["cancel"]);
extension_sql_file!("../../sql/76-egress.sql", name = "egress", requires = ["durability"]);
extension_sql_file!("../../sql/78-open-access.sql", name = "open_access", requires = ["egress"]);
extension_sql_file!("../../sql/79-callers.sql", name = "callers", requires = ["open_access"]);
extension_sql_file!("../../sql/80-access.sql", name = "access", requires = ["callers"]);
extension_sql_file!("../../sql/90-begin.sql", name = "begin", requires = ["access"], finalize);
