//! The server's settings, as it keeps them.

use std::ffi::{CStr, CString, c_char};

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, pg_sys};

/// Where a setting's value may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The server's configuration: files, and what it was started with.
    Server,
    /// What the database or the role has been given.
    DatabaseOrRole,
    /// The built-in default, or this session.
    Other,
}

impl Source {
    fn of(source: pg_sys::GucSource::Type) -> Self {
        use pg_sys::GucSource::*;
        match source {
            PGC_S_ENV_VAR | PGC_S_FILE | PGC_S_ARGV => Self::Server,
            PGC_S_GLOBAL | PGC_S_DATABASE | PGC_S_USER | PGC_S_DATABASE_USER => Self::DatabaseOrRole,
            _ => Self::Other,
        }
    }
}

/// Calls `see` for each setting that has a value though no library has made it known: with its name and where the value comes
/// from.
pub(crate) fn each_unknown(mut see: impl FnMut(&CStr, Source)) {
    each(|setting| {
        if setting.flags as u32 & pg_sys::GUC_CUSTOM_PLACEHOLDER != 0 {
            // SAFETY: every setting has a name, a C string that lives as long as it.
            see(unsafe { CStr::from_ptr(setting.name) }, Source::of(setting.source));
        }
    });
}

/// Where the value of a setting comes from that it has when this session's own is left aside.
pub(crate) fn reset_source(name: &CStr) -> Source {
    let mut source = Source::Other;
    each(|setting| {
        // SAFETY: every setting has a name, a C string that lives as long as it.
        if unsafe { CStr::from_ptr(setting.name) } == name {
            source = Source::of(setting.reset_source);
        }
    });
    source
}

fn each(mut see: impl FnMut(&pg_sys::config_generic)) {
    // SAFETY: an array of so many pointers to settings, which is not changed while it is read: `see` sets none. From
    // Postgres 16 on it is made for the caller, who frees it.
    unsafe {
        #[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15"))]
        let (settings, count) = (pg_sys::get_guc_variables(), pg_sys::GetNumConfigOptions());
        #[cfg(not(any(feature = "pg13", feature = "pg14", feature = "pg15")))]
        let (settings, count) = {
            let mut count = 0;
            (pg_sys::get_guc_variables(&mut count), count)
        };
        for place in 0..count as usize {
            see(&**settings.add(place));
        }
        #[cfg(not(any(feature = "pg13", feature = "pg14", feature = "pg15")))]
        pg_sys::pfree(settings.cast());
    }
}

/// A function that Postgres calls for what a setting shows.
#[derive(Clone, Copy)]
pub(crate) struct ShowHook(unsafe extern "C-unwind" fn() -> *const c_char);

impl ShowHook {
    /// # Safety
    ///
    /// The hook must give a C string that lives as long as the process, or until it is called again.
    pub(crate) const unsafe fn new(hook: unsafe extern "C-unwind" fn() -> *const c_char) -> Self {
        Self(hook)
    }
}

/// A show hook around a function `fn() -> &'static CStr`.
macro_rules! show_hook {
    ($show:path) => {{
        #[pgrx::pg_guard]
        unsafe extern "C-unwind" fn hook() -> *const std::ffi::c_char {
            let shown: &'static std::ffi::CStr = $show();
            shown.as_ptr()
        }
        // SAFETY: the hook above gives a constant.
        unsafe { $crate::pg::process::guc::ShowHook::new(hook) }
    }};
}
pub(crate) use show_hook;

/// Makes a setting known that holds nothing: reading it asks `show`. Not listed by SHOW ALL, and cannot be set.
pub(crate) fn define_question(
    name: &'static CStr,
    description: &'static CStr,
    nothing: &'static GucSetting<Option<CString>>,
    show: ShowHook,
) {
    let (context, flags) = (GucContext::Internal, GucFlags::NO_SHOW_ALL | GucFlags::DISALLOW_IN_FILE);
    // SAFETY: what a `ShowHook` promises; the hook is a function of this library, which is never unloaded.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            name,
            description,
            c"",
            nothing,
            context,
            flags,
            None,
            None,
            Some(show.0),
        );
    }
}
