//! Intervals as settings: read without raising, since a setting is also read in the postmaster, where an error is fatal.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use pgrx::pg_sys;

/// Whether a text is an interval (manual, "Interval Input") of zero or more.
pub(crate) fn is_valid(text: &CStr) -> bool {
    parse(text).is_some_and(|length| length >= 0)
}

const DAY: i128 = 86_400_000_000;

/// The length in microseconds, with 30 days to a month as Postgres itself has it when it compares intervals.
fn parse(text: &CStr) -> Option<i128> {
    const FIELDS: usize = pg_sys::MAXDATEFIELDS as usize;
    // The room that interval_in itself gives.
    let mut work = [0; 256];
    let mut fields = [ptr::null_mut(); FIELDS];
    let mut types = [0; FIELDS];
    let mut count = 0;
    let mut decoded = Decoded::default();
    // SAFETY: every buffer is passed with its length; the function answers with a code and never raises.
    let split = unsafe {
        pg_sys::ParseDateTime(
            text.as_ptr(),
            work.as_mut_ptr(),
            work.len(),
            fields.as_mut_ptr(),
            types.as_mut_ptr(),
            FIELDS as i32,
            &mut count,
        )
    };
    let mut code = if split == 0 { decoded.read_fields(&mut fields, &mut types, count) } else { split };
    if code == pg_sys::DTERR_BAD_FORMAT {
        code = decoded.read_iso(text.to_owned());
    }
    (code == 0 && decoded.kind == pg_sys::DTK_DELTA as i32).then(|| decoded.microseconds())
}

/// What Postgres' decoders write to, whose type changed with Postgres 15.
#[cfg(not(any(feature = "pg13", feature = "pg14")))]
#[derive(Default)]
struct Decoded {
    kind: i32,
    interval: pg_sys::pg_itm_in,
}

#[cfg(not(any(feature = "pg13", feature = "pg14")))]
impl Decoded {
    fn read_fields(&mut self, fields: &mut [*mut c_char], types: &mut [i32], count: i32) -> i32 {
        let range = pg_sys::INTERVAL_FULL_RANGE as i32;
        let (fields, types) = (fields.as_mut_ptr(), types.as_mut_ptr());
        // SAFETY: as many fields as `ParseDateTime` found; the function answers with a code and never raises.
        unsafe { pg_sys::DecodeInterval(fields, types, count, range, &mut self.kind, &mut self.interval) }
    }

    /// The form of ISO 8601. The text is ours, as the function is declared to take a mutable one.
    fn read_iso(&mut self, text: CString) -> i32 {
        let text = text.into_raw();
        // SAFETY: a C string, taken back and freed; the function answers with a code and never raises.
        unsafe {
            let code = pg_sys::DecodeISO8601Interval(text, &mut self.kind, &mut self.interval);
            drop(CString::from_raw(text));
            code
        }
    }

    fn microseconds(&self) -> i128 {
        let months = i128::from(self.interval.tm_year) * 12 + i128::from(self.interval.tm_mon);
        (months * 30 + i128::from(self.interval.tm_mday)) * DAY + i128::from(self.interval.tm_usec)
    }
}

#[cfg(any(feature = "pg13", feature = "pg14"))]
#[derive(Default)]
struct Decoded {
    kind: i32,
    time: pg_sys::pg_tm,
    fraction: pg_sys::fsec_t,
}

#[cfg(any(feature = "pg13", feature = "pg14"))]
impl Decoded {
    fn read_fields(&mut self, fields: &mut [*mut c_char], types: &mut [i32], count: i32) -> i32 {
        let range = pg_sys::INTERVAL_FULL_RANGE as i32;
        let (fields, types) = (fields.as_mut_ptr(), types.as_mut_ptr());
        let Self { kind, time, fraction } = self;
        // SAFETY: as many fields as `ParseDateTime` found; the function answers with a code and never raises.
        unsafe { pg_sys::DecodeInterval(fields, types, count, range, kind, time, fraction) }
    }

    /// The form of ISO 8601. The text is ours, as the function is declared to take a mutable one.
    fn read_iso(&mut self, text: CString) -> i32 {
        let text = text.into_raw();
        // SAFETY: a C string, taken back and freed; the function answers with a code and never raises.
        unsafe {
            let code = pg_sys::DecodeISO8601Interval(text, &mut self.kind, &mut self.time, &mut self.fraction);
            drop(CString::from_raw(text));
            code
        }
    }

    fn microseconds(&self) -> i128 {
        let time = &self.time;
        let days = (i128::from(time.tm_year) * 12 + i128::from(time.tm_mon)) * 30 + i128::from(time.tm_mday);
        let seconds = i128::from(time.tm_hour) * 3600 + i128::from(time.tm_min) * 60 + i128::from(time.tm_sec);
        days * DAY + seconds * 1_000_000 + i128::from(self.fraction)
    }
}
