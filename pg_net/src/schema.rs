//! The schema for `cargo pgrx`, which puts an install script together from what the crate declares. `make` needs none of
//! this: it concatenates the same files in the same order.

use pgrx::extension_sql_file;

extension_sql_file!("../../sql/10-schema.new.sql", name = "schema", bootstrap);
extension_sql_file!("../../sql/20-row-keys.sql", name = "row_keys", requires = ["schema"]);
extension_sql_file!("../../sql/30-tables.new.sql", name = "tables", requires = ["row_keys"]);
extension_sql_file!("../../sql/40-table-rules.sql", name = "table_rules", requires = ["tables"]);
extension_sql_file!("../../sql/50-requests.sql", name = "requests", requires = ["table_rules"]);
extension_sql_file!("../../sql/60-worker.sql", name = "worker", requires = ["requests"]);
extension_sql_file!("../../sql/70-responses.sql", name = "responses", requires = ["worker"]);
extension_sql_file!("../../sql/75-durability.sql", name = "durability", requires = ["responses"]);
extension_sql_file!("../../sql/80-access.sql", name = "access", requires = ["durability"], finalize);
