//! Check hooks: what a setting refuses, and what is said then.
//!
//! They run in the postmaster too, where an error would end the server. So they answer, and raise nothing.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};

use pgrx::pg_sys;

/// Why a value is refused: the detail of the message.
pub(super) struct Refusal {
    detail: String,
    message: Option<&'static CStr>,
}

impl Refusal {
    pub(super) fn new(detail: impl ToString) -> Self {
        Self { detail: detail.to_string(), message: None }
    }

    /// Says this instead of the usual message, in which the value stands: it may hold a secret.
    pub(super) fn with_message(self, message: &'static CStr) -> Self {
        Self { message: Some(message), ..self }
    }
}

/// Defines a check hook around a function `fn(&str) -> Result<(), Refusal>`, which is asked about all values but none.
macro_rules! check_hook {
    ($hook:ident, $check:path) => {
        #[pgrx::pg_guard]
        unsafe extern "C-unwind" fn $hook(
            value: *mut *mut std::ffi::c_char,
            _extra: *mut *mut std::ffi::c_void,
            _source: pgrx::pg_sys::GucSource::Type,
        ) -> bool {
            // SAFETY: Postgres passes a pointer to the proposed value, which is a C string or null.
            unsafe { $crate::settings::check::accepts(*value, $check) }
        }
    };
}
pub(super) use check_hook;

thread_local! {
    // What Postgres was last given a pointer to. It copies the text before the next hook runs.
    static DETAIL: RefCell<CString> = RefCell::default();
}

/// # Safety
///
/// `value` must be a C string or null.
pub(super) unsafe fn accepts(value: *const c_char, check: fn(&str) -> Result<(), Refusal>) -> bool {
    if value.is_null() {
        return true;
    }
    // SAFETY: by the caller's promise.
    let value = unsafe { CStr::from_ptr(value) }.to_string_lossy();
    let Err(Refusal { detail, message }) = check(&value) else { return true };
    // The message is in the encoding of a database, which is not known everywhere where hooks run.
    let plain = detail.chars().map(|c| if c.is_ascii() && c != '\0' { c } else { '?' }).collect::<String>();
    DETAIL.with_borrow_mut(|kept| {
        *kept = CString::new(plain).unwrap_or_default();
        // SAFETY: both texts outlive the report, which comes when the hook has returned, and Postgres only reads them.
        unsafe {
            pg_sys::GUC_check_errdetail_string = kept.as_ptr().cast_mut();
            if let Some(message) = message {
                pg_sys::GUC_check_errmsg_string = message.as_ptr().cast_mut();
            }
        }
    });
    false
}
