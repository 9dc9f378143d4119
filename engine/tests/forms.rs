//! Forms, read by a parser that is not ours.

use std::convert::Infallible;

use engine::{Multipart, Part};
use futures_util::{FutureExt, stream};

/// Name, file name, content type and data of each part.
type Parsed = (String, Option<String>, Option<String>, Vec<u8>);

fn parse(form: Multipart) -> Vec<Parsed> {
    let boundary = multer::parse_boundary(&form.content_type).unwrap();
    let whole = stream::iter([Ok::<_, Infallible>(form.body)]);
    let mut parser = multer::Multipart::new(whole, boundary);
    let parse = async {
        let mut parts = Vec::new();
        while let Some(field) = parser.next_field().await.unwrap() {
            let name = field.name().unwrap().to_owned();
            let filename = field.file_name().map(str::to_owned);
            let content_type = field.content_type().map(ToString::to_string);
            parts.push((name, filename, content_type, field.bytes().await.unwrap().to_vec()));
        }
        parts
    };
    parse.now_or_never().expect("all of it is there")
}

#[test]
fn another_parser_finds_what_was_put_in() {
    let every_byte = (0..=u8::MAX).chain(*b"\r\n--pg_net-form-\r\n--\r\n\r\n").collect::<Vec<_>>();
    let parts = [
        Part { name: "plain", data: "žluťoučký".as_bytes(), filename: None, content_type: None },
        Part { name: "with spaces; and=signs", data: b"", filename: None, content_type: None },
        Part { name: "json", data: b"{\"a\": 1}", filename: None, content_type: Some("application/json") },
        Part { name: "file", data: &every_byte, filename: Some("日本 a;b.bin"), content_type: Some("image/png") },
        Part { name: "plain", data: b"again\r\n", filename: None, content_type: None },
    ];
    let expected = parts.map(|part| {
        let text = |text: Option<&str>| text.map(str::to_owned);
        (part.name.to_owned(), text(part.filename), text(part.content_type), part.data.to_vec())
    });
    assert_eq!(parse(Multipart::encode(&parts, 10_000).unwrap()), expected);
}

#[test]
fn a_name_stays_one_name() {
    let part = Part { name: "a\"\r\nX: y", data: b"data", filename: Some("\"\r\n"), content_type: None };
    let parsed = parse(Multipart::encode(&[part], 10_000).unwrap());
    let expected = ("a%22%0D%0AX: y".to_owned(), Some("%22%0D%0A".to_owned()), None, b"data".to_vec());
    assert_eq!(parsed, [expected]);
}

#[test]
fn a_form_without_parts_is_one() {
    assert_eq!(parse(Multipart::encode(&[], 10_000).unwrap()), []);
}
