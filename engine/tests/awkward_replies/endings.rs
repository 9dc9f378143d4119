use crate::case::{Case, End};

pub(crate) fn cases() -> Vec<Case> {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello";
    vec![
        Case::new("closed before any byte", "", "no_reply", "nothing came"),
        Case::new("closed after one byte", "H", "partial", "the head breaks off")
            .unlike_curl("curl fails too, and says that nothing came"),
        Case::new("closed in the status line", "HTTP/1.1 20", "partial", "the head breaks off")
            .unlike_curl("curl fails too, and says that nothing came"),
        Case::new("closed after the status line", "HTTP/1.1 200 OK\r\n", "partial", "the head breaks off")
            .unlike_curl("curl does not look whether a head is complete"),
        Case::new("closed in a name", "HTTP/1.1 200 OK\r\nConte", "partial", "the head breaks off")
            .unlike_curl("curl does not look whether a head is complete"),
        Case::new("closed in a value", "HTTP/1.1 200 OK\r\nContent-Length: 9", "partial", "the head breaks off")
            .unlike_curl("curl does not look whether a head is complete"),
        Case::new("closed before the blank line", "HTTP/1.1 200 OK\r\nA: b\r\n", "partial", "the head breaks off")
            .unlike_curl("curl does not look whether a head is complete"),
        Case::new("closed before the body", head, "partial", "the end is missing"),
        Case::new("closed in the body", body, "partial", "the end is missing"),
        Case::new(
            "closed behind a head without a length",
            "HTTP/1.1 200 OK\r\n\r\n",
            "200 empty",
            "the end is the end",
        ),
        Case::new("reset before any byte", "", "receive", "a reset is an error").ends(End::Reset),
        Case::new("reset in the head", "HTTP/1.1 200 OK\r\nA: ", "receive", "a reset is an error").ends(End::Reset),
        Case::new("reset in the body", body, "receive", "a reset is an error").ends(End::Reset),
        Case::new("silence", "", "timeout", "nothing comes").ends(End::KeepOpen),
        Case::new("silence in the head", "HTTP/1.1 200 OK\r\nA", "timeout", "the rest does not come")
            .ends(End::KeepOpen),
        Case::new("silence in the body", body, "timeout", "the time is for all of it").ends(End::KeepOpen),
        Case::new("silence instead of an end", "HTTP/1.1 200 OK\r\n\r\nhello", "timeout", "the end does not come")
            .ends(End::KeepOpen),
        Case::new(
            "a head for ever",
            format!("HTTP/1.1 200 OK\r\nA: {}\r\n", "b".repeat(9999)),
            "weird_reply",
            "no honest reply has a head of more than 300 KiB",
        )
        .ends(End::Repeat),
    ]
}
