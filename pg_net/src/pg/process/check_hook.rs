//! Check hooks of settings that are texts: what a setting refuses, and what is said then.
//!
//! They run in the postmaster too, where an error would end the server. So they answer, and raise nothing.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, pg_sys};

/// Why a value is refused: the detail of the message, if it has one.
#[derive(Default)]
pub(crate) struct Refusal {
    detail: Option<String>,
    message: Option<&'static CStr>,
}

impl Refusal {
    pub(crate) fn new(detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), message: None }
    }

    /// Says this instead of the usual message, in which the value stands: it may hold a secret.
    pub(crate) fn with_message(self, message: &'static CStr) -> Self {
        Self { message: Some(message), ..self }
    }
}

/// A function that Postgres calls with a value that is proposed for a setting.
#[derive(Clone, Copy)]
pub(crate) struct CheckHook(Hook);

type Hook = unsafe extern "C-unwind" fn(*mut *mut c_char, *mut *mut c_void, pg_sys::GucSource::Type) -> bool;

impl CheckHook {
    /// # Safety
    ///
    /// The hook must read the text that it is given and nothing else, and must not raise.
    pub(crate) const unsafe fn new(hook: Hook) -> Self {
        Self(hook)
    }
}

/// A check hook around a function `fn(&CStr) -> Result<(), Refusal>`, which is asked about all values but none.
macro_rules! check_hook {
    ($check:path) => {{
        #[pgrx::pg_guard]
        unsafe extern "C-unwind" fn hook(
            value: *mut *mut std::ffi::c_char,
            _extra: *mut *mut std::ffi::c_void,
            _source: pgrx::pg_sys::GucSource::Type,
        ) -> bool {
            // SAFETY: Postgres passes a pointer to the proposed value, which is a C string or null.
            unsafe { $crate::pg::process::check_hook::accepts(*value, $check) }
        }
        // SAFETY: the hook above reads the text alone, and answers.
        unsafe { $crate::pg::process::check_hook::CheckHook::new(hook) }
    }};
}
pub(crate) use check_hook;

/// Makes a setting known that is a text and is checked.
pub(crate) fn define_checked(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<Option<CString>>,
    context: GucContext,
    check: CheckHook,
) {
    let flags = GucFlags::default();
    // SAFETY: what a `CheckHook` promises.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            name,
            short,
            long,
            setting,
            context,
            flags,
            Some(check.0),
            None,
            None,
        );
    }
}

thread_local! {
    // What Postgres was last given a pointer to. It copies the text before the next hook runs.
    static DETAIL: RefCell<CString> = RefCell::default();
}

/// # Safety
///
/// `value` must be a C string or null.
pub(crate) unsafe fn accepts(value: *const c_char, check: fn(&CStr) -> Result<(), Refusal>) -> bool {
    if value.is_null() {
        return true;
    }
    // SAFETY: by the caller's promise.
    let value = unsafe { CStr::from_ptr(value) };
    let Err(Refusal { detail, message }) = check(value) else { return true };
    let Some(detail) = detail else { return false };
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
