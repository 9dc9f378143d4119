//! Forms with files as request bodies: `multipart/form-data` (RFC 7578).

use std::fmt;

use http::HeaderValue;
use memchr::memmem;
use openssl::sha::Sha256;

/// One field of a form, or one file.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The field's name.
    pub name: &'a str,
    /// What it holds.
    pub data: &'a [u8],
    /// Makes it a file.
    pub filename: Option<&'a str>,
    /// Media type of the data. Without one a receiver takes a field as text in UTF-8.
    pub content_type: Option<&'a str>,
}

/// A whole form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multipart {
    /// The request's body.
    pub body: Vec<u8>,
    /// Its `Content-Type`, which tells where a part ends.
    pub content_type: String,
}

/// Why parts cannot be encoded as a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormError {
    /// The content type of this part could not stand in a header.
    ContentType(String),
    /// The form could be longer than this many bytes.
    TooLarge(usize),
}

/// Bytes around a part's names and data: a line each for the boundary and the two fields, and the empty line.
const OVERHEAD: usize = 200;

impl Multipart {
    /// Encodes parts, in their order, byte for byte. The same parts always give the same form.
    ///
    /// # Errors
    ///
    /// See [`FormError`].
    pub fn encode(parts: &[Part], max_bytes: usize) -> Result<Self, FormError> {
        let room = OVERHEAD + parts.iter().map(Part::room).sum::<usize>();
        if room > max_bytes {
            return Err(FormError::TooLarge(max_bytes));
        }
        let boundary = boundary(parts);
        let mut body = Vec::with_capacity(room);
        for part in parts {
            body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            part.write(&mut body)?;
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok(Self { body, content_type: format!("multipart/form-data; boundary={boundary}") })
    }
}

impl Part<'_> {
    /// The most that it can take.
    fn room(&self) -> usize {
        /// Bytes that escaping makes of one.
        const ESCAPED: usize = 3;
        let texts = [Some(self.name), self.filename, self.content_type];
        OVERHEAD + self.data.len() + ESCAPED * texts.into_iter().flatten().map(str::len).sum::<usize>()
    }

    fn write(&self, body: &mut Vec<u8>) -> Result<(), FormError> {
        let mut push = |text: &str| body.extend_from_slice(text.as_bytes());
        push(&format!("Content-Disposition: form-data; name=\"{}\"", escape(self.name)));
        if let Some(filename) = self.filename {
            push(&format!("; filename=\"{}\"", escape(filename)));
        }
        push("\r\n");
        if let Some(content_type) = self.content_type {
            HeaderValue::from_str(content_type).map_err(|_| FormError::ContentType(self.name.to_owned()))?;
            push(&format!("Content-Type: {content_type}\r\n"));
        }
        push("\r\n");
        body.extend_from_slice(self.data);
        body.extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// The way browsers escape names
/// (<https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data>).
fn escape(name: &str) -> String {
    name.replace('\n', "%0A").replace('\r', "%0D").replace('"', "%22")
}

/// A text that is in the data of no part.
///
/// It is a digest of the parts: the same each time, and the author of a part cannot have put it there.
fn boundary(parts: &[Part]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        for bytes in [part.name.as_bytes(), part.data] {
            digest.update(&bytes.len().to_be_bytes());
            digest.update(bytes);
        }
    }
    loop {
        let boundary = boundary_of(&digest);
        let finder = memmem::Finder::new(&boundary);
        if !parts.iter().any(|part| finder.find(part.data).is_some()) {
            return boundary;
        }
        digest.update(b"again");
    }
}

fn boundary_of(digest: &Sha256) -> String {
    let hash = digest.clone().finish();
    let hex = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("pg_net-form-{hex}")
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentType(part) => {
                let part = part.escape_debug();
                write!(f, "Invalid content type of the form's part \"{part}\": it holds a control character")
            }
            Self::TooLarge(limit) => write!(f, "The form is larger than {limit} bytes"),
        }
    }
}

impl std::error::Error for FormError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'a>(name: &'a str, data: &'a [u8]) -> Part<'a> {
        Part { name, data, filename: None, content_type: None }
    }

    fn file<'a>(name: &'a str, filename: &'a str, content_type: &'a str, data: &'a [u8]) -> Part<'a> {
        Part { name, data, filename: Some(filename), content_type: Some(content_type) }
    }

    const ENOUGH: usize = 10_000;

    #[test]
    fn fields_and_files_in_their_order_and_byte_for_byte() {
        let parts = [field("a", "é".as_bytes()), file("b", "x.bin", "application/octet-stream", b"\0\r\n--\xff")];
        let form = Multipart::encode(&parts, ENOUGH).unwrap();
        let boundary = form.content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let expected = [
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\né\r\n").into_bytes(),
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"b\"; filename=\"x.bin\"\r\n").into_bytes(),
            b"Content-Type: application/octet-stream\r\n\r\n\0\r\n--\xff\r\n".to_vec(),
            format!("--{boundary}--\r\n").into_bytes(),
        ];
        assert_eq!(form.body, expected.concat());
        assert_eq!(Multipart::encode(&parts, ENOUGH), Ok(form), "the same each time");
    }

    #[test]
    fn names_cannot_break_out() {
        let form = Multipart::encode(&[file("a\"; x=\"\r\nb", "\"\n.png", "image/png", b"")], ENOUGH).unwrap();
        let body = String::from_utf8(form.body).unwrap();
        assert!(body.contains("name=\"a%22; x=%22%0D%0Ab\"; filename=\"%22%0A.png\"\r\n"), "{body}");
    }

    #[test]
    fn a_content_type_cannot_break_out() {
        let error = Multipart::encode(&[file("a", "b", "image/png\r\nX: y", b"")], ENOUGH).unwrap_err();
        assert!(error.to_string().contains("content type of the form's part \"a\""), "{error}");
    }

    #[test]
    fn the_boundary_stands_in_no_data() {
        let once = boundary(&[field("a", b"data")]);
        // No text can hold the digest of itself; one of another form is a coincidence that changes nothing.
        let nested = once.into_bytes();
        let form = Multipart::encode(&[field("a", &nested)], ENOUGH).unwrap();
        assert!(!form.content_type.ends_with(std::str::from_utf8(&nested).unwrap()));
    }

    #[test]
    fn a_form_may_be_empty() {
        let form = Multipart::encode(&[], ENOUGH).unwrap();
        assert!(form.body.starts_with(b"--pg_net-form-") && form.body.ends_with(b"--\r\n"));
    }

    #[test]
    fn no_more_is_encoded_than_fits() {
        let data = [b'x'; 1000];
        assert_eq!(Multipart::encode(&[field("a", &data)], 1000), Err(FormError::TooLarge(1000)));
    }
}
