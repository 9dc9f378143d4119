//! What each table and sequence is expected to let each role do. One that the extension gets needs a line here.

use super::roles::Expected;

/// A relation and who may do what with it. What holds for it holds for each of its columns.
pub(super) struct Relation {
    pub(super) name: &'static str,
    pub(super) may: &'static [(Action, Expected)],
}

/// What can be done with a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Select,
    Insert,
    /// Of each column in turn.
    Update(Columns),
    Delete,
    Truncate,
    /// Such a lock as its own statements take, and one that stops others.
    LockWeakly,
    LockStrongly,
    Trigger,
    References,
    /// `nextval`
    Usage,
    /// `setval`
    Set,
}

/// Columns of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    All,
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

impl Columns {
    fn has(self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(columns) => columns.contains(&column),
            Self::AllBut(columns) => !columns.contains(&column),
        }
    }
}

impl Action {
    /// Each statement that does it.
    pub(super) fn statements(self, relation: &str, columns: &[String]) -> Vec<String> {
        let one = |statement: String| vec![statement];
        match self {
            Self::Select => {
                let of_columns = columns.iter().map(|column| format!("select {column} from {relation}"));
                of_columns.chain([format!("select from {relation}")]).collect()
            }
            Self::Update(of) => {
                let updated = columns.iter().filter(|column| of.has(column));
                updated.map(|column| format!("update {relation} set {column} = default")).collect()
            }
            Self::Insert => columns
                .iter()
                .map(|column| format!("insert into {relation} ({column}) overriding system value values (default)"))
                .collect(),
            Self::Delete => one(format!("delete from {relation}")),
            Self::Truncate => one(format!("truncate {relation}")),
            Self::LockWeakly => one(format!("lock table {relation} in row exclusive mode")),
            Self::LockStrongly => {
                ["share update exclusive", "share", "share row exclusive", "exclusive", "access exclusive"]
                    .map(|mode| format!("lock table {relation} in {mode} mode"))
                    .to_vec()
            }
            Self::Trigger => one(format!(
                "create trigger planted before update on {relation}
                     for each row execute function suppress_redundant_updates_trigger()"
            )),
            // A foreign key finds no unique column before the right is asked for.
            Self::References => one(format!(
                "do $$ begin if not has_table_privilege('{relation}', 'references') then
                     raise insufficient_privilege; end if; end $$"
            )),
            Self::Usage => one(format!("select nextval('{relation}')")),
            Self::Set => one(format!("select setval('{relation}', 1000)")),
        }
    }
}

use Action::{Delete, Insert, LockStrongly, LockWeakly, References, Select, Set, Trigger, Truncate, Update, Usage};

//                          owner, superuser, alice, bob, heir of alice, noheir, reader, signaller, app, boss
const ALL: Expected = "     +      +          +      +    +              +       +       +          +    +";
const OWNER: Expected = "   +      +          -      -    -              -       -       -          -    -";
const READER: Expected = "  +      +          -      -    -              -       +       -          +    -";

/// Everybody reads and deletes, under row-level security; see [`SEEN`].
const SHARED: &[(Action, Expected)] = &[
    (Select, ALL),
    (Insert, OWNER),
    (Update(Columns::All), OWNER),
    (Delete, ALL),
    (Truncate, OWNER),
    (LockWeakly, ALL),
    (LockStrongly, OWNER),
    (Trigger, OWNER),
    (References, OWNER),
];

const WHOSE: &[&str] = &["id", "requested_by"];

/// As well, and everybody changes the columns that do not say whose it is.
const RESPONSES: &[(Action, Expected)] = &[
    (Select, ALL),
    (Insert, OWNER),
    (Update(Columns::Only(WHOSE)), OWNER),
    (Update(Columns::AllBut(WHOSE)), ALL),
    (Delete, ALL),
    (Truncate, OWNER),
    (LockWeakly, ALL),
    (LockStrongly, OWNER),
    (Trigger, OWNER),
    (References, OWNER),
];

/// The owner's alone; a member of pg_read_all_data reads it, as everything.
const PRIVATE: &[(Action, Expected)] = &[
    (Select, READER),
    (Insert, OWNER),
    (Update(Columns::All), OWNER),
    (Delete, OWNER),
    (Truncate, OWNER),
    (LockWeakly, OWNER),
    (LockStrongly, OWNER),
    (Trigger, OWNER),
    (References, OWNER),
];

const SEQUENCE: &[(Action, Expected)] = &[(Select, READER), (Usage, OWNER), (Set, OWNER)];

pub(super) const RELATIONS: &[Relation] = &[
    Relation { name: "net.http_request_queue", may: SHARED },
    Relation { name: "net._http_response", may: RESPONSES },
    Relation { name: "net.dead_letter", may: SHARED },
    Relation { name: "net.egress_rule", may: PRIVATE },
    Relation { name: "net._open_access", may: PRIVATE },
    Relation { name: "net._home", may: PRIVATE },
    Relation { name: "net._held_response", may: PRIVATE },
    Relation { name: "net.egress_rule_id_seq", may: SEQUENCE },
    Relation { name: "net.http_request_queue_id_seq", may: SEQUENCE },
    Relation { name: "net.http_request_queue_row_key_seq", may: SEQUENCE },
];

/// The tables whose rows belong to roles.
pub(super) const OWNED_ROWS: &[&str] = &["net.http_request_queue", "net._http_response", "net.dead_letter"];

/// Whose rows each role sees, of those of every role.
pub(super) const SEEN: &[(&str, &str)] = &[
    ("owner", EVERYBODYS),
    ("postgres", EVERYBODYS),
    ("alice", "alice"),
    ("bob", "bob"),
    ("heir", "alice heir"),
    ("noheir", "noheir"),
    ("reader", EVERYBODYS),
    ("signaller", "signaller"),
    ("app", EVERYBODYS),
    ("boss", "boss"),
];

const EVERYBODYS: &str = "owner postgres alice bob heir noheir reader signaller app boss";
