//! Reading tables as Postgres reads its catalogs: what is committed at this moment, without a snapshot of the transaction's own,
//! and so also within a parallel query and before a transaction has taken its first snapshot.

use std::ptr;

use pgrx::pg_sys;

/// Whether a table has a row.
pub(crate) fn has_rows(table: pg_sys::Oid) -> bool {
    let mut found = false;
    each_row(table, None, |_, _| {
        found = true;
        false
    });
    found
}

/// The values of a table's first column, which must be of type oid or regrole.
pub(crate) fn oids(table: pg_sys::Oid) -> Vec<Option<pg_sys::Oid>> {
    let mut oids = Vec::new();
    each_row(table, None, |tuple, columns| {
        let mut is_null = false;
        // SAFETY: a row of the table, with the table's description.
        let value = unsafe { pg_sys::heap_getattr(tuple, 1, columns, &mut is_null) };
        oids.push((!is_null).then(|| pg_sys::Oid::from(value.value() as u32)));
        true
    });
    oids
}

/// A catalog whose rows are found by the oids in its first columns of an index; the columns are counted from 1.
struct Catalog {
    table: u32,
    index: u32,
    wanted: &'static [pg_sys::AttrNumber],
}

// Manual, "System Catalogs"; the numbers are the same in every version.
const REWRITE_BY_RELATION: Catalog = Catalog { table: 2618, index: 2693, wanted: &[REWRITE_RELATION] };
const REWRITE_OID: pg_sys::AttrNumber = 1;
const REWRITE_RELATION: pg_sys::AttrNumber = 3;
const DEPEND_BY_DEPENDER: Catalog = Catalog { table: 2608, index: 2673, wanted: &[1, 2] };
const DEPEND_REFERENCED_CATALOG: pg_sys::AttrNumber = 4;
const DEPEND_REFERENCED: pg_sys::AttrNumber = 5;
const INHERITS_BY_PARENT: Catalog = Catalog { table: 2611, index: 2187, wanted: &[INHERITS_PARENT] };
const INHERITS_CHILD: pg_sys::AttrNumber = 1;
const INHERITS_PARENT: pg_sys::AttrNumber = 2;

/// The relations that a view reads, by what its rule depends on.
pub(crate) fn read_by_view(view: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut read = Vec::new();
    for [rule] in REWRITE_BY_RELATION.rows(&[view], [REWRITE_OID]) {
        let rules = pg_sys::Oid::from(REWRITE_BY_RELATION.table);
        let columns = [DEPEND_REFERENCED_CATALOG, DEPEND_REFERENCED];
        for [catalog, referenced] in DEPEND_BY_DEPENDER.rows(&[rules, rule], columns) {
            if catalog == pg_sys::RelationRelationId && referenced != view {
                read.push(referenced);
            }
        }
    }
    read
}

/// The tables that inherit from a table, or are its partitions.
pub(crate) fn children(parent: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    INHERITS_BY_PARENT.rows(&[parent], [INHERITS_CHILD]).into_iter().map(|[child]| child).collect()
}

impl Catalog {
    /// These columns, of type oid, of the rows that have these oids in the wanted columns.
    fn rows<const N: usize>(&self, oids: &[pg_sys::Oid], columns: [pg_sys::AttrNumber; N]) -> Vec<[pg_sys::Oid; N]> {
        let mut rows = Vec::new();
        let wanted = Some((pg_sys::Oid::from(self.index), self.wanted, oids));
        each_row(self.table.into(), wanted, |tuple, description| {
            rows.push(columns.map(|column| {
                let mut is_null = false;
                // SAFETY: a row of the catalog, with its description; the columns are oids that are never null.
                let value = unsafe { pg_sys::heap_getattr(tuple, column.into(), description, &mut is_null) };
                pg_sys::Oid::from(value.value() as u32)
            }));
            true
        });
        rows
    }
}

/// An index, and the columns of its table, counted from 1, with the oids that are looked for.
type Wanted<'a> = (pg_sys::Oid, &'a [pg_sys::AttrNumber], &'a [pg_sys::Oid]);

/// Meets the rows of a table, until `row` answers false.
fn each_row(
    table: pg_sys::Oid,
    wanted: Option<Wanted>,
    mut row: impl FnMut(pg_sys::HeapTuple, pg_sys::TupleDesc) -> bool,
) {
    let (index, columns, oids) = wanted.unwrap_or((pg_sys::InvalidOid, &[], &[]));
    // SAFETY: a scan within a transaction, ended before its table is closed; each row is read before the next is asked for.
    // Zeros are a key of nothing, and each that counts is initialized.
    unsafe {
        let table = pg_sys::table_open(table, LOCK);
        let mut keys: Vec<pg_sys::ScanKeyData> = vec![std::mem::zeroed(); columns.len()];
        for ((key, &column), &oid) in keys.iter_mut().zip(columns).zip(oids) {
            let equal = pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber;
            pg_sys::ScanKeyInit(key, column, equal, pg_sys::F_OIDEQ.into(), oid.into());
        }
        let latest = ptr::null_mut();
        let scan =
            pg_sys::systable_beginscan(table, index, !columns.is_empty(), latest, keys.len() as i32, keys.as_mut_ptr());
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() || !row(tuple, (*table).rd_att) {
                break;
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(table, LOCK);
    }
}

const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
