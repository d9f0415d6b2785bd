//! Reads events from JSON Lines, `{"name": "ticket/created", "data": {..}}`, one a line. A line
//! that is no event of the app is reported with its place, and the rest goes on.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead};

use indelible::event::{Catalog, InvalidEvent, UntypedEvent};
use indelible::prelude::*;
use serde_json::value::RawValue;

/// The events of one file.
pub(crate) struct Feed<'a, R> {
    file: String,
    lines: io::Split<R>,
    number: usize,
    catalog: &'a Catalog,
    limit: usize,
}

/// What became of a line.
#[derive(Debug)]
pub(crate) enum Line {
    /// It is an event. The key tells it from every other line, so that a feed that begins again
    /// sends nothing twice.
    Event {
        event: UntypedEvent,
        key: String,
    },
    Rejected(Rejection),
}

/// A line that is no event, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) file: String,
    pub(crate) line: usize,
    /// The place in the line, as a JSON pointer (RFC 6901); empty for the whole of it.
    pub(crate) pointer: String,
    pub(crate) reason: String,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl<'a, R: BufRead> Feed<'a, R> {
    /// Reads from `lines`; `file` is what they are called in reports and keys, `limit` the most
    /// bytes that the data of an event may have.
    pub(crate) fn new(
        file: impl Into<String>,
        lines: R,
        catalog: &'a Catalog,
        limit: usize,
    ) -> Self {
        Self { file: file.into(), lines: lines.split(b'\n'), number: 0, catalog, limit }
    }

    fn read(&self, bytes: &[u8]) -> Line {
        match self.parse(bytes) {
            Ok(event) => {
                let content = Uuid::new_v5(&Uuid::NAMESPACE_OID, bytes);
                Line::Event { event, key: format!("{}:{}:{content}", self.file, self.number) }
            }
            Err((pointer, reason)) => Line::Rejected(Rejection {
                file: self.file.clone(),
                line: self.number,
                pointer,
                reason,
            }),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<UntypedEvent, (String, String)> {
        let text = str::from_utf8(bytes).map_err(|error| (String::new(), error.to_string()))?;
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| {
            let place = format!(" at column {}", error.column());
            (String::new(), without_place(&error.to_string()) + &place)
        })?;
        self.catalog.check(&envelope.name, envelope.data, self.limit).map_err(|error| match error {
            InvalidEvent::Mismatch { pointer, reason } => {
                (format!("/data{pointer}"), without_place(&reason))
            }
            InvalidEvent::Data { .. } => ("/data".to_owned(), error.to_string()),
            _ => ("/name".to_owned(), error.to_string()),
        })
    }
}

/// A reason without the place that serde_json puts at its end: the line is known better here, and
/// the column is counted from somewhere else.
fn without_place(reason: &str) -> String {
    reason.rsplit_once(" at line ").map_or(reason, |(reason, _)| reason).to_owned()
}

impl<R: BufRead> Iterator for Feed<'_, R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let bytes = match self.lines.next()? {
                Ok(bytes) => bytes,
                Err(error) => return Some(Err(error)),
            };
            self.number += 1;
            let bytes = bytes.trim_ascii();
            if !bytes.is_empty() {
                return Some(Ok(self.read(bytes)));
            }
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, pointer, reason } = self;
        write!(f, "{file}:{line}: ")?;
        if !pointer.is_empty() {
            write!(f, "at `{pointer}`: ")?;
        }
        f.write_str(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HelpDesk;

    const LIMIT: usize = 200;

    fn read(lines: &[u8]) -> Vec<Line> {
        let catalog = Catalog::of::<HelpDesk>();
        Feed::new("events.jsonl", lines, &catalog, LIMIT).map(Result::unwrap).collect()
    }

    /// The key of the only line.
    fn key(line: &str) -> String {
        match read(line.as_bytes()).pop() {
            Some(Line::Event { key, .. }) => key,
            line => panic!("{line:?}"),
        }
    }

    /// What is said about the only line.
    fn reason(line: impl AsRef<[u8]>) -> String {
        match read(line.as_ref()).pop() {
            Some(Line::Rejected(rejection)) => rejection.to_string(),
            line => panic!("{line:?}"),
        }
    }

    const SIGNUP: &str = r#"{"name": "user/signup", "data": {"email": "zoe@example.com"}}"#;

    #[test]
    fn a_bad_line_is_reported_with_its_number_and_the_rest_goes_on() {
        let lines = read(format!("{SIGNUP}\r\n\n{{\n{SIGNUP}").as_bytes());
        let seen: Vec<String> = lines
            .iter()
            .map(|line| match line {
                Line::Event { event, key } => {
                    format!("{} {}", event.name(), key.rsplit_once(':').unwrap().0)
                }
                Line::Rejected(rejection) => rejection.to_string(),
            })
            .collect();
        assert_eq!(
            seen,
            [
                "user/signup events.jsonl:1",
                "events.jsonl:3: EOF while parsing an object at column 1",
                "user/signup events.jsonl:4",
            ]
        );
    }

    #[test]
    fn each_kind_of_mistake_is_pointed_at() {
        assert_eq!(reason(r#"{"data": {}}"#), "events.jsonl:1: missing field `name` at column 12");
        assert_eq!(
            reason(r#"{"name": "ticket/create", "data": {}}"#),
            "events.jsonl:1: at `/name`: no event is named `ticket/create`; did you mean \
             `ticket/created`?"
        );
        assert_eq!(
            reason(r#"{"name": "user/signup", "data": {"mail": "zoe@example.com"}}"#),
            "events.jsonl:1: at `/data`: missing field `email`"
        );
        assert_eq!(
            reason(r#"{"name": "user/signup", "data": {"email": 7}}"#),
            "events.jsonl:1: at `/data/email`: invalid type: integer `7`, expected a string"
        );
        assert!(reason(b"{\"name\": \"\xff\"}").contains("invalid utf-8"));
        let long = format!(r#"{{"name": "user/signup", "data": {{"email": "{SIGNUP:a<300}"}}}}"#);
        assert!(reason(long.replace(SIGNUP, "")).contains("over the limit of 200 bytes"));
    }

    #[test]
    fn the_key_of_a_line_is_its_place_and_what_it_says() {
        assert_eq!(key(SIGNUP), key(SIGNUP));
        assert_ne!(key(SIGNUP), key(&SIGNUP.replace("zoe", "tom")));
        assert_ne!(key(SIGNUP), key(&format!("\n{SIGNUP}")));
    }
}
