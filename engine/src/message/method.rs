//! Request methods (RFC 9110 §9), as callers write them.

pub use http::Method;

/// The method that a text names. A standard method is accepted in any case and sent in upper case; others stay as
/// they are. `None` if the text is not a token, and for CONNECT: a tunnel has no outcome.
pub fn parse(text: &str) -> Option<Method> {
    const STANDARD: [Method; 8] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::TRACE,
    ];
    if let Some(method) = STANDARD.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text)) {
        return Some(method);
    }
    if text.eq_ignore_ascii_case("CONNECT") {
        return None;
    }
    Method::from_bytes(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_methods_in_any_case_and_other_tokens_as_they_are() {
        assert_eq!(parse("pAtCh"), Some(Method::PATCH));
        assert_eq!(parse("Purge").unwrap().as_str(), "Purge");
        for refused in ["", "connect", "GET /x", "GET\r\n", "GÉT", "a:b"] {
            assert_eq!(parse(refused), None, "{refused:?}");
        }
    }
}
