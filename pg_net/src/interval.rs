//! Intervals as settings: read without raising, since a setting is also read in the postmaster, where an error is fatal.

use std::ffi::CStr;
use std::ptr;

use pgrx::pg_sys;

/// Whether a text is an interval (manual, "Interval Input") of zero or more.
pub(crate) fn is_valid(text: &CStr) -> bool {
    matches!(parse(text), Some((months, days, microseconds))
        if i128::from(months) * 30 * DAY + i128::from(days) * DAY + i128::from(microseconds) >= 0)
}

const DAY: i128 = 86_400_000_000;

/// Months, days and microseconds.
#[cfg(not(any(feature = "pg13", feature = "pg14")))]
fn parse(text: &CStr) -> Option<(i32, i32, i64)> {
    const FIELDS: usize = pg_sys::MAXDATEFIELDS as usize;
    // The room that interval_in itself gives.
    let mut work = [0; 256];
    let mut fields = [ptr::null_mut(); FIELDS];
    let mut types = [0; FIELDS];
    let mut count = 0;
    let mut kind = 0;
    let mut interval = pg_sys::pg_itm_in::default();
    // SAFETY: every buffer is passed with its length; these functions answer with a code and never raise. The ISO form gets
    // a copy of its own, as it is declared to take a mutable string.
    let code = unsafe {
        let mut code = pg_sys::ParseDateTime(
            text.as_ptr(),
            work.as_mut_ptr(),
            work.len(),
            fields.as_mut_ptr(),
            types.as_mut_ptr(),
            FIELDS as i32,
            &mut count,
        );
        if code == 0 {
            code = pg_sys::DecodeInterval(
                fields.as_mut_ptr(),
                types.as_mut_ptr(),
                count,
                pg_sys::INTERVAL_FULL_RANGE as i32,
                &mut kind,
                &mut interval,
            );
        }
        if code == pg_sys::DTERR_BAD_FORMAT {
            let copy = text.to_owned().into_raw();
            code = pg_sys::DecodeISO8601Interval(copy, &mut kind, &mut interval);
            drop(std::ffi::CString::from_raw(copy));
        }
        code
    };
    let months = i32::try_from(i64::from(interval.tm_year) * 12 + i64::from(interval.tm_mon)).ok()?;
    (code == 0 && kind == pg_sys::DTK_DELTA as i32).then_some((months, interval.tm_mday, interval.tm_usec))
}

/// Months, days and microseconds.
#[cfg(any(feature = "pg13", feature = "pg14"))]
fn parse(text: &CStr) -> Option<(i32, i32, i64)> {
    const FIELDS: usize = pg_sys::MAXDATEFIELDS as usize;
    let mut work = [0; 256];
    let mut fields = [ptr::null_mut(); FIELDS];
    let mut types = [0; FIELDS];
    let mut count = 0;
    let mut kind = 0;
    let mut time = pg_sys::pg_tm::default();
    let mut fraction = 0;
    // SAFETY: as in the later form.
    let code = unsafe {
        let mut code = pg_sys::ParseDateTime(
            text.as_ptr(),
            work.as_mut_ptr(),
            work.len(),
            fields.as_mut_ptr(),
            types.as_mut_ptr(),
            FIELDS as i32,
            &mut count,
        );
        if code == 0 {
            code = pg_sys::DecodeInterval(
                fields.as_mut_ptr(),
                types.as_mut_ptr(),
                count,
                pg_sys::INTERVAL_FULL_RANGE as i32,
                &mut kind,
                &mut time,
                &mut fraction,
            );
        }
        if code == pg_sys::DTERR_BAD_FORMAT {
            let copy = text.to_owned().into_raw();
            code = pg_sys::DecodeISO8601Interval(copy, &mut kind, &mut time, &mut fraction);
            drop(std::ffi::CString::from_raw(copy));
        }
        code
    };
    let months = i32::try_from(i64::from(time.tm_year) * 12 + i64::from(time.tm_mon)).ok()?;
    let seconds = i64::from(time.tm_hour) * 3600 + i64::from(time.tm_min) * 60 + i64::from(time.tm_sec);
    let microseconds = seconds.checked_mul(1_000_000)?.checked_add(i64::from(fraction))?;
    (code == 0 && kind == pg_sys::DTK_DELTA as i32).then_some((months, time.tm_mday, microseconds))
}
