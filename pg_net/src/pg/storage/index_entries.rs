//! Entries in a table's indexes for rows that are stored below the executor.
//!
//! The executor sets up a state of its own for them, and compiles each partial index's predicate, again for every statement:
//! for one row that takes longer than the row and its entries. Here only what needs neither is done.

use std::cell::RefCell;

use pgrx::pg_sys;

use super::table::Table;
use crate::pg::catalog::invalidation;
use crate::pg::types::list::cells;

thread_local! {
    static PARTIAL: RefCell<Partial> = const { RefCell::new(Partial { changes: 0, indexes: Vec::new() }) };
}

/// Partial indexes that were opened, so that those which have no entry for a row are not opened for it again.
struct Partial {
    /// The count of changes before they were opened.
    changes: u64,
    /// Each with the column, counted from 1, that has a value in the rows that it has entries of.
    indexes: Vec<(pg_sys::Oid, pg_sys::AttrNumber)>,
}

impl Partial {
    /// Forgets what it knows if it may have changed.
    fn refresh(&mut self) {
        let changes = invalidation::changed_places();
        if self.changes != changes {
            self.changes = changes;
            self.indexes.clear();
        }
    }

    fn column(&self, index: pg_sys::Oid) -> Option<pg_sys::AttrNumber> {
        self.indexes.iter().find(|&&(known, _)| known == index).map(|&(_, column)| column)
    }
}

/// A table's indexes, open for entries, with the locks that an INSERT takes; both end when it is dropped.
pub(in crate::pg) struct IndexEntries(Vec<Index>);

impl IndexEntries {
    /// Opens those in which the rows to come may have an entry: `may_have` is asked for a column, counted from 0, whether a row
    /// may have a value there. `None` where entries take the executor: an index has expressions, a predicate other than
    /// `column is not null`, or a constraint that is not checked by the entry alone.
    pub(in crate::pg) fn open(table: &Table, may_have: impl Fn(usize) -> bool) -> Option<Self> {
        PARTIAL.with_borrow_mut(|partial| {
            partial.refresh();
            // SAFETY: the relation is open; the list is a copy in the current memory context, of oids, or null for none.
            unsafe {
                let list = pg_sys::RelationGetIndexList(table.relation());
                let mut opened = Vec::new();
                for index in cells(list).iter().map(|index| index.oid_value) {
                    let known = partial.column(index);
                    if known.is_some_and(|column| !may_have(column as usize - 1)) {
                        continue;
                    }
                    let open = Index::open(index)?;
                    if let (Has::With(column), None) = (open.has, known) {
                        partial.indexes.push((index, column));
                    }
                    opened.push(open);
                }
                Some(Self(opened))
            }
        })
    }

    /// Makes the entries of a row.
    ///
    /// # Safety
    ///
    /// A row with these values must be stored in the table, at this place, and the indexes have been opened for it.
    pub(in crate::pg) unsafe fn enter(&self, table: &Table, place: pg_sys::ItemPointer, row: &[Option<pg_sys::Datum>]) {
        for index in &self.0 {
            // SAFETY: by the caller's promise.
            unsafe { index.enter(table, place, row) };
        }
    }
}

struct Index {
    relation: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    has: Has,
}

/// Which rows an index has entries of.
#[derive(Clone, Copy)]
enum Has {
    None,
    All,
    /// Those with a value in this column, counted from 1.
    With(pg_sys::AttrNumber),
}

impl Index {
    /// # Safety
    ///
    /// It must be an index of a table that is open and locked.
    unsafe fn open(index: pg_sys::Oid) -> Option<Self> {
        // SAFETY: by the caller's promise the index is there; what describes it is made in the current memory context.
        unsafe {
            let relation = pg_sys::index_open(index, LOCK);
            let info = pg_sys::BuildIndexInfo(relation);
            let mut opened = Self { relation, info, has: Has::None };
            opened.has = opened.what_it_has()?;
            Some(opened)
        }
    }

    fn what_it_has(&self) -> Option<Has> {
        // SAFETY: both were made by `open`.
        unsafe {
            let info = &*self.info;
            let is_checked_by_entry = info.ii_ExclusionOps.is_null() && (*(*self.relation).rd_index).indimmediate;
            if !info.ii_ReadyForInserts {
                Some(Has::None)
            } else if !info.ii_Expressions.is_null() || !is_checked_by_entry {
                None
            } else if info.ii_Predicate.is_null() {
                Some(Has::All)
            } else {
                column_that_is_not_null(info.ii_Predicate).map(Has::With)
            }
        }
    }

    /// # Safety
    ///
    /// A row with these values must be stored in the table, at this place, and the index be one of it.
    unsafe fn enter(&self, table: &Table, place: pg_sys::ItemPointer, row: &[Option<pg_sys::Datum>]) {
        // SAFETY: by the caller's promise; there are as many columns as the count says.
        unsafe {
            let info = &*self.info;
            match self.has {
                Has::None => return,
                Has::With(column) if value(row, column).is_none() => return,
                Has::With(_) | Has::All => {}
            }
            let columns = &info.ii_IndexAttrNumbers[..info.ii_NumIndexAttrs as usize];
            let mut values = [pg_sys::Datum::null(); pg_sys::INDEX_MAX_KEYS as usize];
            let mut nulls = [true; pg_sys::INDEX_MAX_KEYS as usize];
            for (at, &column) in columns.iter().enumerate() {
                if let Some(value) = value(row, column) {
                    (values[at], nulls[at]) = (value, false);
                }
            }
            let check = if info.ii_Unique {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES
            } else {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO
            };
            let (values, nulls) = (values.as_mut_ptr(), nulls.as_mut_ptr());
            #[cfg(feature = "pg13")]
            pg_sys::index_insert(self.relation, values, nulls, place, table.relation(), check, self.info);
            #[cfg(not(feature = "pg13"))]
            pg_sys::index_insert(self.relation, values, nulls, place, table.relation(), check, false, self.info);
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // After an error the abort closes it.
        if !std::thread::panicking() {
            // SAFETY: made by `open`.
            unsafe {
                #[cfg(any(feature = "pg17", feature = "pg18"))]
                pg_sys::index_insert_cleanup(self.relation, self.info);
                pg_sys::index_close(self.relation, LOCK);
            }
        }
    }
}

const LOCK: pg_sys::LOCKMODE = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;

/// The column of a predicate that is `column is not null`, and no other.
///
/// # Safety
///
/// The predicate of an index: a list of expressions that all are to hold.
unsafe fn column_that_is_not_null(predicate: *mut pg_sys::List) -> Option<pg_sys::AttrNumber> {
    // SAFETY: by the caller's promise; the tag of a node tells its type.
    unsafe {
        let [only] = cells(predicate) else { return None };
        let node = only.ptr_value.cast::<pg_sys::Node>();
        if (*node).type_ != pg_sys::NodeTag::T_NullTest {
            return None;
        }
        let test = &*node.cast::<pg_sys::NullTest>();
        let is_plain = test.nulltesttype == pg_sys::NullTestType::IS_NOT_NULL && !test.argisrow;
        if !is_plain || (*test.arg.cast::<pg_sys::Node>()).type_ != pg_sys::NodeTag::T_Var {
            return None;
        }
        let column = (*test.arg.cast::<pg_sys::Var>()).varattno;
        (column > 0).then_some(column)
    }
}

/// A row's value in a column, which is counted from 1.
fn value(row: &[Option<pg_sys::Datum>], column: pg_sys::AttrNumber) -> Option<pg_sys::Datum> {
    row[column as usize - 1]
}
