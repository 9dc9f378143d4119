//! Text between Rust, which speaks UTF-8, and the server, which speaks the database's encoding.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::CStr;
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};

use crate::pg::SqlError;

/// The bytes of a text, bytea or other plain varlena.
///
/// # Safety
///
/// `datum` must be a varlena that lives at least as long as `'a`; a compressed or toasted one is copied into the current
/// memory context, which then must live as long, too.
pub(crate) unsafe fn bytes_of<'a>(datum: pg_sys::Datum) -> &'a [u8] {
    // SAFETY: by the caller's promise this is a varlena; detoasting gives one that is plain, long or short.
    unsafe {
        let mut varlena = datum.cast_mut_ptr::<pg_sys::varlena>();
        if pgrx::varatt_is_4b_c(varlena) || pgrx::varatt_is_1b_e(varlena) {
            varlena = pg_sys::pg_detoast_datum_packed(varlena);
        }
        let length = pgrx::varsize_any_exhdr(varlena);
        std::slice::from_raw_parts(pgrx::vardata_any(varlena).cast(), length)
    }
}

/// How many bytes a varlena holds once it is whole, without making it so.
///
/// # Safety
///
/// It must be a varlena.
pub(in crate::pg) unsafe fn size(varlena: pg_sys::Datum) -> usize {
    // SAFETY: by the caller's promise; looks at its head, toasted or not.
    unsafe { pg_sys::toast_raw_datum_size(varlena) }.saturating_sub(pg_sys::VARHDRSZ)
}

/// A varlena with these bytes, in the current memory context: a bytea, or a text if they are in the server's encoding.
pub(crate) fn varlena(bytes: &[u8]) -> pg_sys::Datum {
    // SAFETY: the pointer and the length are those of one slice; the bytes are copied.
    unsafe { pg_sys::cstring_to_text_with_len(bytes.as_ptr().cast(), bytes.len() as i32).into() }
}

/// A text in the current memory context; a character that the database's encoding cannot hold becomes a question mark.
pub(crate) fn datum(text: &str) -> pg_sys::Datum {
    varlena(&to_server_as_far_as_it_goes(text))
}

/// The server's text as UTF-8.
pub(crate) fn from_server(bytes: &[u8]) -> Result<Cow<'_, str>, SqlError> {
    match encoding() {
        Encoding::Utf8 | Encoding::None => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| {
            SqlError::new(
                PgSqlErrorCode::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
                "text that is to be sent must be valid UTF-8",
            )
        }),
        Encoding::Other => match std::str::from_utf8(bytes) {
            // The server's encodings all have ASCII where ASCII is.
            Ok(text) if text.is_ascii() => Ok(Cow::Borrowed(text)),
            // SAFETY: pointer and length of one slice.
            _ => convert(|| unsafe { pg_sys::pg_server_to_any(bytes.as_ptr().cast(), bytes.len() as i32, UTF8) })
                .map(|converted| Cow::Owned(String::from_utf8_lossy(&converted).into_owned())),
        },
    }
}

/// UTF-8 in the server's encoding; `None` where that cannot hold it, as no encoding can hold a NUL.
pub(crate) fn to_server(text: &str) -> Option<Cow<'_, [u8]>> {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return None;
    }
    match encoding() {
        Encoding::Utf8 | Encoding::None => Some(Cow::Borrowed(text.as_bytes())),
        Encoding::Other if text.is_ascii() => Some(Cow::Borrowed(text.as_bytes())),
        Encoding::Other => {
            // SAFETY: pointer and length of one slice.
            convert(|| unsafe { pg_sys::pg_any_to_server(text.as_ptr().cast(), text.len() as i32, UTF8) })
                .ok()
                .map(Cow::Owned)
        }
    }
}

/// UTF-8 in the server's encoding, with a question mark for each character that it cannot hold.
pub(crate) fn to_server_as_far_as_it_goes(text: &str) -> Cow<'_, [u8]> {
    to_server(text).unwrap_or_else(|| {
        let mut kept = Vec::with_capacity(text.len());
        let mut buffer = [0; 4];
        for character in text.chars() {
            match to_server(character.encode_utf8(&mut buffer)) {
                Some(bytes) => kept.extend_from_slice(&bytes),
                None => kept.push(b'?'),
            }
        }
        Cow::Owned(kept)
    })
}

/// Text for a message of the server's, which is in the database's encoding but passes through a Rust string on its way: what
/// that could garble is written as an escape.
pub(crate) fn for_message(text: String) -> String {
    match encoding() {
        Encoding::Other if !text.is_ascii() => {
            let escape = |c: char| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() };
            text.chars().map(escape).collect()
        }
        _ => text,
    }
}

/// Runs a conversion of Postgres' of text that is not plain ASCII, and copies its answer.
///
/// What cannot be converted comes back as an error, and the transaction goes on: the conversion functions hold nothing that
/// an abort would have to release.
fn convert(conversion: impl Fn() -> *mut std::ffi::c_char) -> Result<Vec<u8>, SqlError> {
    use PgSqlErrorCode::*;
    let refuse = |error: CaughtError| {
        let (CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. }) = error;
        Err(SqlError::new(report.sql_error_code(), report.message()))
    };
    PgTryBuilder::new(AssertUnwindSafe(|| {
        let converted = conversion();
        // SAFETY: the answer is a C string, as the input is not plain ASCII.
        Ok(unsafe { CStr::from_ptr(converted) }.to_bytes().to_vec())
    }))
    .catch_when(ERRCODE_UNTRANSLATABLE_CHARACTER, refuse)
    .catch_when(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, refuse)
    // There is no conversion at all between UTF-8 and MULE_INTERNAL.
    .catch_when(ERRCODE_UNDEFINED_FUNCTION, refuse)
    .execute()
}

const UTF8: i32 = pg_sys::pg_enc::PG_UTF8 as i32;
const SQL_ASCII: i32 = pg_sys::pg_enc::PG_SQL_ASCII as i32;

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    /// SQL_ASCII: the server takes bytes as they are, so UTF-8 goes in and comes out.
    None,
    Other,
}

thread_local! {
    // A process stays in its database; asking costs as much as what is done with the answer.
    static ENCODING: Cell<Option<Encoding>> = const { Cell::new(None) };
}

fn encoding() -> Encoding {
    ENCODING.get().unwrap_or_else(|| {
        // SAFETY: reads a variable of this process.
        let encoding = match unsafe { pg_sys::GetDatabaseEncoding() } {
            UTF8 => Encoding::Utf8,
            SQL_ASCII => Encoding::None,
            _ => Encoding::Other,
        };
        ENCODING.set(Some(encoding));
        encoding
    })
}
