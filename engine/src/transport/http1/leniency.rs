//! Heads of replies that hyper refuses and libcurl takes, mended in place, each byte by byte to the same length.
//!
//! A head that two readers understand differently might hide another reply in this one. A connection on which a head
//! was mended therefore carries no further request, and a hidden reply reaches none.

use memchr::memchr;

/// Whether this may be the beginning of a head that is mended.
pub(crate) fn may_become_a_head(bytes: &[u8]) -> bool {
    let begins = |line: &[u8]| line.iter().zip(b"HTTP/").all(|(have, want)| have.eq_ignore_ascii_case(want));
    !bytes.is_empty() && begins(bytes)
}

/// Whether a head needs a closer look. Nearly none does.
pub(crate) fn is_odd(head: &[u8]) -> bool {
    let is_usual = head.starts_with(b"HTTP/1.1 ") && head.get(9).is_some_and(u8::is_ascii_digit);
    !is_usual || memchr(b'+', head).is_some()
}

/// Makes of a whole head what hyper takes. Whether it was another.
///
/// | head | becomes |
/// |---|---|
/// | `http/1.1 200 OK` | `HTTP/1.1 200 OK` |
/// | `HTTP/1.1   200 OK` | `HTTP/1.1 200   OK` |
/// | `HTTP/1.0` with `Transfer-Encoding` | `HTTP/1.1` |
/// | `Content-Length: +5` | `Content-Length:  5` |
pub(crate) fn mend(head: &mut [u8]) -> bool {
    let line = memchr(b'\n', head).map_or(head.len(), |end| end + 1);
    let (line, fields) = head.split_at_mut(line);
    // Each of them counts.
    [mend_version(line), mend_spaces(line), mend_old_chunks(line, fields), mend_lengths(fields)].contains(&true)
}

fn mend_version(line: &mut [u8]) -> bool {
    match line.get_mut(..5) {
        Some(name) if name != b"HTTP/" && name.eq_ignore_ascii_case(b"HTTP/") => {
            name.make_ascii_uppercase();
            true
        }
        _ => false,
    }
}

/// Moves the spaces in front of the status behind it.
fn mend_spaces(line: &mut [u8]) -> bool {
    if !matches!(line, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', b' ', ..]) {
        return false;
    }
    let spaces = line[9..].iter().take_while(|byte| **byte == b' ').count();
    if line.get(9 + spaces + 3).is_some_and(u8::is_ascii_digit) {
        return false;
    }
    match line.get_mut(9..9 + spaces + 3) {
        Some(part) if part[spaces..].iter().all(u8::is_ascii_digit) => {
            part.rotate_left(spaces);
            true
        }
        _ => false,
    }
}

/// HTTP/1.0 has no chunks; a server that sends them speaks HTTP/1.1.
fn mend_old_chunks(line: &mut [u8], fields: &[u8]) -> bool {
    let is_old = line.starts_with(b"HTTP/1.0 ");
    if is_old && lines(fields).any(|line| named(line, b"transfer-encoding").is_some()) {
        line[7] = b'1';
        return true;
    }
    false
}

fn mend_lengths(fields: &mut [u8]) -> bool {
    let mut mended = false;
    for line in fields.split_mut(|byte| *byte == b'\n') {
        let Some(value) = named(line, b"content-length") else { continue };
        let value = &mut line[value..];
        let Some(sign) = value.iter().position(|byte| !matches!(byte, b' ' | b'\t')) else { continue };
        let digits = value[sign + 1..].trim_ascii_end();
        if value[sign] == b'+' && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
            value[sign] = b' ';
            mended = true;
        }
    }
    mended
}

pub(crate) fn lines(fields: &[u8]) -> impl Iterator<Item = &[u8]> {
    fields.split(|byte| *byte == b'\n')
}

/// Where the value begins, if the line is a field of this name.
pub(crate) fn named(line: &[u8], name: &[u8]) -> Option<usize> {
    let has_name = line.get(..name.len()).is_some_and(|have| have.eq_ignore_ascii_case(name));
    (has_name && line.get(name.len()) == Some(&b':')).then_some(name.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(head: &str) -> Option<String> {
        let mut bytes = head.as_bytes().to_vec();
        (is_odd(&bytes) && mend(&mut bytes)).then(|| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn what_is_odd_and_harmless_is_mended() {
        for (head, becomes) in [
            ("http/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"),
            ("HTTP/1.1   200 OK\r\n\r\n", "HTTP/1.1 200   OK\r\n\r\n"),
            ("HTTP/1.0  200\r\n\r\n", "HTTP/1.0 200 \r\n\r\n"),
            (
                "HTTP/1.0 200 OK\r\nTRANSFER-Encoding: chunked\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTRANSFER-Encoding: chunked\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\nA: +\r\nContent-length:\t+5 \r\n\r\n",
                "HTTP/1.1 200 OK\r\nA: +\r\nContent-length:\t 5 \r\n\r\n",
            ),
        ] {
            assert_eq!(mended(head).as_deref(), Some(becomes));
            assert_eq!(mended(becomes), None, "once is enough");
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.0 200 OK\r\nX-Transfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: ++5\r\nX-Content-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +\r\nContent-Length: +5x\r\nContent-Length: 5+\r\n\r\n",
            "HTTP/1.1  20\r\n\r\n",
            "HTTP/1.1  2001\r\n\r\n",
            "HTTP/2  200 OK\r\n\r\n",
            "",
            "\n",
        ] {
            assert_eq!(mended(head), None, "{head:?}");
        }
    }
}
