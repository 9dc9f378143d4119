//! What the receiver keeps of each request: a line in a file, written before it answers and when it is done.
//!
//! A line that has been written outlives the process, which is enough: what is killed is the receiver, not the
//! machine.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use testkit::{Observer, Request};

use crate::clock::{self, Moment};

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A request has come, whole.
    Received,
    /// It has been answered, as far as the receiver can tell.
    Answered,
    /// It has been broken off, on purpose or because the client had left.
    BrokenOff,
}

/// A line of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) event: Event,
    pub(crate) tag: u64,
    pub(crate) at: Moment,
}

const EVENTS: [(&str, Event); 3] =
    [("received", Event::Received), ("answered", Event::Answered), ("broken-off", Event::BrokenOff)];

/// Writes the file.
pub(crate) struct Log {
    file: File,
}

impl Log {
    /// Goes on with the file of a receiver that was killed.
    pub(crate) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).expect("open the receiver's file");
        Self { file }
    }

    fn write(&self, event: Event, request: &Request) {
        // Anything else than a request of the writers' is none of the account's business.
        let tag = request.query().and_then(|query| query.strip_prefix("tag=")).and_then(|tag| tag.parse::<u64>().ok());
        let Some(tag) = tag else { return };
        let (word, _) = EVENTS.iter().find(|(_, named)| *named == event).expect("a word for each event");
        // One write a line, so that no kill and no other thread can come in between.
        let line = format!("{word} {tag} {}\n", clock::now());
        (&self.file).write_all(line.as_bytes()).expect("write to the receiver's file");
    }
}

impl Observer for Log {
    fn received(&self, request: &Request) {
        self.write(Event::Received, request);
    }

    fn done(&self, request: &Request, whole: bool) {
        self.write(if whole { Event::Answered } else { Event::BrokenOff }, request);
    }
}

/// Reads the file so far, in the order in which it was written.
pub(crate) fn read(path: &Path) -> Vec<Line> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // What has no end yet is being written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| parse(line).unwrap_or_else(|| panic!("a line of the receiver's file: {line:?}"))).collect()
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    let (word, tag, at) = (words.next()?, words.next()?, words.next()?);
    let (_, event) = EVENTS.iter().find(|(known, _)| *known == word)?;
    Some(Line { event: *event, tag: tag.parse().ok()?, at: at.parse().ok()? })
}
