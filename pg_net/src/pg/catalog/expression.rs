//! Expressions as the planner has them.

use std::ffi::CStr;
use std::marker::PhantomData;

use pgrx::pg_sys;

use crate::pg::fcall::call::Call;
use crate::pg::types::text;

/// The built-in function `current_setting(text)`.
const CURRENT_SETTING: u32 = 2077;

/// A function call that the planner asks a support function to rewrite.
pub(crate) struct Rewrite<'a> {
    call: *mut pg_sys::FuncExpr,
    lives: PhantomData<&'a ()>,
}

impl<'a> Rewrite<'a> {
    /// The call to rewrite, if that is what the planner asks a support function for, which is called here.
    pub(crate) fn asked_for(call: &'a Call) -> Option<Self> {
        let request = call.datum(0)?.cast_mut_ptr::<pg_sys::SupportRequestSimplify>();
        // SAFETY: the SQL declaration says internal, so that only the planner can call it, with a request of its own: a node,
        // whose tag tells its type.
        unsafe {
            ((*request).type_ == pg_sys::NodeTag::T_SupportRequestSimplify)
                .then(|| Self { call: (*request).fcall, lives: PhantomData })
        }
    }

    /// The function that is called.
    pub(crate) fn function(&self) -> pg_sys::Oid {
        // SAFETY: the planner's call, which is there while its support function runs.
        unsafe { (*self.call).funcid }
    }

    /// The same call, which reads a setting after its arguments are evaluated and before the function runs, by the rights of
    /// who calls. `None` for a call without arguments.
    pub(crate) fn read_last(&self, setting: &CStr) -> Option<pg_sys::Datum> {
        // SAFETY: the planner's call is only read, as its contract asks; what is made of it are new nodes, in the planner's
        // memory context, with all the fields that the executor reads.
        unsafe {
            let call = &*self.call;
            let arguments = pg_sys::list_copy(call.args);
            let last = arguments.as_ref()?.length as usize - 1;
            let last = (*arguments).elements.add(last);
            (*last).ptr_value = greatest((*last).ptr_value.cast(), null_after_reading(setting)).cast();
            let rewritten = pg_sys::makeFuncExpr(
                call.funcid,
                call.funcresulttype,
                arguments,
                call.funccollid,
                call.inputcollid,
                call.funcformat,
            );
            (*rewritten).location = call.location;
            Some(rewritten.into())
        }
    }
}

/// # Safety
///
/// `expression` must be one; `null` makes an expression of a type and a collation.
unsafe fn greatest(
    expression: *mut pg_sys::Node,
    null: impl FnOnce(pg_sys::Oid, pg_sys::Oid) -> *mut pg_sys::CaseExpr,
) -> *mut pg_sys::MinMaxExpr {
    // SAFETY: by the caller's promise; a node made whole.
    unsafe {
        let (of_type, collation) = (pg_sys::exprType(expression), pg_sys::exprCollation(expression));
        let both = pg_sys::lappend(std::ptr::null_mut(), expression.cast());
        let greatest = node::<pg_sys::MinMaxExpr>(pg_sys::NodeTag::T_MinMaxExpr);
        (*greatest).minmaxtype = of_type;
        (*greatest).minmaxcollid = collation;
        (*greatest).inputcollid = collation;
        (*greatest).op = pg_sys::MinMaxOp::IS_GREATEST;
        (*greatest).args = pg_sys::lappend(both, null(of_type, collation).cast());
        (*greatest).location = -1;
        greatest
    }
}

/// `case when current_setting(…) is null then null end`, of a given type and collation.
fn null_after_reading(setting: &CStr) -> impl FnOnce(pg_sys::Oid, pg_sys::Oid) -> *mut pg_sys::CaseExpr {
    move |of_type, collation| {
        // SAFETY: nodes made whole, of nodes made whole.
        unsafe {
            let is_null = node::<pg_sys::NullTest>(pg_sys::NodeTag::T_NullTest);
            (*is_null).arg = setting_read(setting).cast();
            (*is_null).nulltesttype = pg_sys::NullTestType::IS_NULL;
            (*is_null).location = -1;
            let when = node::<pg_sys::CaseWhen>(pg_sys::NodeTag::T_CaseWhen);
            (*when).expr = is_null.cast();
            (*when).result = pg_sys::makeNullConst(of_type, -1, collation).cast();
            (*when).location = -1;
            let case = node::<pg_sys::CaseExpr>(pg_sys::NodeTag::T_CaseExpr);
            (*case).casetype = of_type;
            (*case).casecollid = collation;
            (*case).args = list_of([when.cast()]);
            (*case).defresult = pg_sys::makeNullConst(of_type, -1, collation).cast();
            (*case).location = -1;
            case
        }
    }
}

/// `current_setting(…)`.
pub(in crate::pg) fn setting_read(setting: &CStr) -> *mut pg_sys::FuncExpr {
    // SAFETY: nodes made whole, of nodes made whole.
    unsafe {
        let name = pg_sys::makeConst(
            pg_sys::TEXTOID,
            -1,
            pg_sys::DEFAULT_COLLATION_OID,
            -1,
            text::varlena(setting.to_bytes()),
            false,
            false,
        );
        pg_sys::makeFuncExpr(
            pg_sys::Oid::from(CURRENT_SETTING),
            pg_sys::TEXTOID,
            list_of([name.cast()]),
            pg_sys::DEFAULT_COLLATION_OID,
            pg_sys::DEFAULT_COLLATION_OID,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
        )
    }
}

/// A list of nodes.
pub(in crate::pg) fn list_of<const N: usize>(nodes: [*mut pg_sys::Node; N]) -> *mut pg_sys::List {
    nodes.into_iter().fold(std::ptr::null_mut(), |list, node| {
        // SAFETY: appends to a list, or begins one.
        unsafe { pg_sys::lappend(list, node.cast()) }
    })
}

/// # Safety
///
/// `N` must be the node type that the tag names.
pub(in crate::pg) unsafe fn node<N>(tag: pg_sys::NodeTag) -> *mut N {
    // SAFETY: zeroed memory of the node's size; every node begins with its tag.
    unsafe {
        let node = pg_sys::palloc0(size_of::<N>());
        *node.cast::<pg_sys::NodeTag>() = tag;
        node.cast()
    }
}
