//! The text of shapes: one line a step or field, so that a change reads well in a review and two
//! changes in different places merge.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::fields::split;
use super::{Field, Fields, Flow, Line, Place, SETTINGS, Shapes, Subject, WorkflowShape};
use crate::workflow::{Form, StepKind};

/// The text's own version; it changes when an older reader would misunderstand it.
const FORMAT: u32 = 1;

/// How a workflow takes what starts it; a line of its own where that is not as it is.
const NAMED: &str = "as one of several";
const LISTED: &str = "as a list";

/// A text is not that of shapes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ParseError {
    pub line: usize,
    pub reason: String,
}

impl fmt::Display for Shapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "format {FORMAT}\napp {}", self.app)?;
        let events = self.events.keys().cloned().map(Subject::Event);
        let workflows = self.workflows.keys().cloned().map(Subject::Workflow);
        events.chain(workflows).try_for_each(|subject| write!(f, "\n{}", self.entry(&subject)))
    }
}

impl Shapes {
    /// The text of one entry; empty if there is none.
    pub fn entry(&self, subject: &Subject) -> String {
        match subject {
            Subject::App(_) => format!("app {}\n", self.app),
            Subject::Event(name) => match self.events.get(name) {
                Some(fields) => format!("event {name}\n{fields}"),
                None => String::new(),
            },
            Subject::Workflow(id) => match self.workflows.get(id) {
                Some(shape) => format!("workflow {id}\n{shape}"),
                None => String::new(),
            },
        }
    }
}

impl fmt::Display for WorkflowShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.triggers {
            writeln!(f, "    on {event}")?;
        }
        match self.form {
            Form::Bare => {}
            Form::Named => writeln!(f, "    {NAMED}")?,
            Form::Listed => writeln!(f, "    {LISTED}")?,
        }
        for (path, field) in &self.input.0 {
            writeln!(f, "    input {path}{field}")?;
        }
        self.settings.iter().try_for_each(|setting| writeln!(f, "    {setting}"))?;
        self.flow.0.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Place::Step(_, kind) = &self.place {
            write!(f, "{kind} ")?;
        }
        write!(f, "{}", self.place)?;
        if let Some(event) = &self.event {
            write!(f, " of {event}")?;
        }
        for (index, next) in self.next.iter().enumerate() {
            write!(f, "{}{next}", if index == 0 { " -> " } else { ", " })?;
        }
        Ok(())
    }
}

/// No id has parentheses, so a step may be called `end`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("(start)"),
            Self::Step(id, _) => f.write_str(id),
            Self::Fork(number) => write!(f, "(fork {number})"),
            Self::Join(number) => write!(f, "(join {number})"),
            Self::End => f.write_str("(end)"),
            Self::Failed => f.write_str("(failed)"),
            Self::Restarted => f.write_str("(restart)"),
        }
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(path, field)| writeln!(f, "    {path}{field}"))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.optional { "?" } else { "" }, self.types())
    }
}

impl Field {
    /// Its types; that there may be nothing comes last.
    pub(super) fn types(&self) -> String {
        let (mut types, null): (Vec<_>, Vec<_>) =
            self.types.iter().map(String::as_str).partition(|ty| *ty != "null");
        types.extend(null);
        types.join(" | ")
    }
}

impl FromStr for Shapes {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut parser = Parser::default();
        for (index, line) in text.lines().enumerate() {
            let content = line.trim();
            if !content.is_empty() && !content.starts_with('#') {
                parser
                    .line(content, line.starts_with(char::is_whitespace))
                    .map_err(|reason| ParseError { line: index + 1, reason })?;
            }
        }
        parser.finish().map_err(|reason| ParseError { line: text.lines().count(), reason })
    }
}

#[derive(Default)]
struct Parser {
    format: bool,
    shapes: Shapes,
    /// The entry that indented lines belong to.
    entry: Option<Entry>,
}

enum Entry {
    Event(String, Fields),
    Workflow(String, Draft),
}

/// A workflow whose steps' kinds are known once all of its lines are read.
#[derive(Default)]
struct Draft {
    shape: WorkflowShape,
    lines: Vec<(Place, Option<String>, Vec<String>)>,
}

impl Parser {
    fn line(&mut self, content: &str, indented: bool) -> Result<(), String> {
        if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|mark| content.starts_with(mark))
        {
            return Err("a merge has left a conflict here".to_owned());
        }
        if indented {
            return match &mut self.entry {
                Some(Entry::Event(_, fields)) => field(fields, content),
                Some(Entry::Workflow(_, draft)) => draft.line(content),
                None => Err(format!("`{content}` belongs to no event and no workflow")),
            };
        }
        let (word, rest) = content.split_once(' ').unwrap_or((content, ""));
        if !self.format && word != "format" {
            return Err(format!("the first entry is `format {FORMAT}`, not `{content}`"));
        }
        self.close()?;
        match word {
            "format" if rest == FORMAT.to_string() => self.format = true,
            "format" => {
                return Err(format!(
                    "this version of indelible reads format {FORMAT}, not `{rest}`"
                ));
            }
            "app" => self.shapes.app = named(rest, "an app")?,
            "event" => self.entry = Some(Entry::Event(named(rest, "an event")?, Fields::default())),
            "workflow" => {
                self.entry = Some(Entry::Workflow(named(rest, "a workflow")?, Draft::default()));
            }
            _ => return Err(format!("`{word}` is none of `app`, `event` and `workflow`")),
        }
        Ok(())
    }

    /// Files the entry that has ended.
    fn close(&mut self) -> Result<(), String> {
        match self.entry.take() {
            Some(Entry::Event(name, fields)) => once(&mut self.shapes.events, name, fields),
            Some(Entry::Workflow(id, draft)) => {
                let shape =
                    draft.finish().map_err(|reason| format!("workflow `{id}`: {reason}"))?;
                once(&mut self.shapes.workflows, id, shape)
            }
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Shapes, String> {
        self.close()?;
        match self.format {
            true => Ok(self.shapes),
            false => Err(format!("there is no line `format {FORMAT}`")),
        }
    }
}

impl Draft {
    fn line(&mut self, content: &str) -> Result<(), String> {
        if let Some(event) = content.strip_prefix("on ") {
            self.shape.triggers.insert(named(event, "an event")?);
            return Ok(());
        }
        if content.starts_with("as ") {
            self.shape.form = match content {
                NAMED => Form::Named,
                LISTED => Form::Listed,
                _ => return Err(format!("`{content}` is neither `{NAMED}` nor `{LISTED}`")),
            };
            return Ok(());
        }
        if let Some(input) = content.strip_prefix("input ") {
            return field(&mut self.shape.input, input);
        }
        if SETTINGS.iter().any(|word| content.split(' ').next() == Some(word)) {
            self.shape.settings.insert(content.to_owned());
            return Ok(());
        }
        let (place, next) = content.split_once(" -> ").unwrap_or((content, ""));
        let (place, event) = match place.split_once(" of ") {
            Some((place, event)) => (place, Some(named(event, "an event")?)),
            None => (place, None),
        };
        let place = match bracketed(place) {
            Some(place) => place?,
            None => {
                let (kind, id) = place.split_once(' ').ok_or_else(|| {
                    format!("`{place}` is no step: a kind and an id are expected, as `run {place}`")
                })?;
                Place::Step(named(id, "a step")?, kind.parse::<StepKind>()?)
            }
        };
        let next = next.split(", ").filter(|next| !next.is_empty());
        self.lines.push((place, event, next.map(str::to_owned).collect()));
        Ok(())
    }

    fn finish(mut self) -> Result<WorkflowShape, String> {
        let kinds: BTreeMap<_, _> = self
            .lines
            .iter()
            .filter_map(|(place, ..)| match place {
                Place::Step(id, kind) => Some((id.clone(), *kind)),
                _ => None,
            })
            .collect();
        let place = |name: String| match bracketed(&name) {
            Some(place) => place,
            None => match kinds.get(&name) {
                Some(kind) => Ok(Place::Step(name, *kind)),
                None => Err(format!("`{name}` follows a step and has no line of its own")),
            },
        };
        let lines = self.lines.into_iter().map(|(from, event, next)| {
            let next = next.into_iter().map(place).collect::<Result<_, _>>()?;
            Ok(Line { place: from, event, next })
        });
        self.shape.flow = Flow(lines.collect::<Result<_, String>>()?);
        Ok(self.shape)
    }
}

/// A place that is no step.
fn bracketed(text: &str) -> Option<Result<Place, String>> {
    let inner = text.strip_prefix('(')?;
    let number = |text: &str| text.parse().ok();
    let place = inner.strip_suffix(')').and_then(|inner| match inner.split_once(' ') {
        None if inner == "start" => Some(Place::Start),
        None if inner == "end" => Some(Place::End),
        None if inner == "failed" => Some(Place::Failed),
        None if inner == "restart" => Some(Place::Restarted),
        Some(("fork", n)) => number(n).map(Place::Fork),
        Some(("join", n)) => number(n).map(Place::Join),
        _ => None,
    });
    Some(place.ok_or_else(|| format!("`{text}` is no place in a workflow")))
}

/// `path?: type | type`.
fn field(fields: &mut Fields, content: &str) -> Result<(), String> {
    let parts = split(content, ": ");
    let [path, types] = parts[..] else {
        return Err(format!("`{content}` is no field: `name: type` is expected"));
    };
    let (path, optional) = match path.strip_suffix('?') {
        Some(path) => (path, true),
        None => (path, false),
    };
    let types = split(types, " | ").into_iter().map(str::to_owned).collect();
    once(&mut fields.0, named(path, "a field")?, Field { optional, types })
}

fn named(name: &str, what: &str) -> Result<String, String> {
    match name.trim() {
        "" => Err(format!("{what} without a name")),
        name => Ok(name.to_owned()),
    }
}

fn once<T>(map: &mut BTreeMap<String, T>, name: String, value: T) -> Result<(), String> {
    match map.insert(name.clone(), value) {
        None => Ok(()),
        Some(_) => Err(format!("`{name}` stands here a second time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"format 1
app shop

event order/placed
    "a: b"?: string
    lines[]: object
    lines[].sku: string
    paid: "card" | "cash: now" | null

workflow on-order
    on order/placed
    as a list
    batch of 100, 5s by key
    condition on order/placed
    cron "0 9 * * 1-5" in Europe/Paris, catch_up one
    undo reserve
    (start) -> (fork 1)
    (fork 1) -> reserve, end
    run reserve -> (join 1)
    wait_for_event end of order/paid -> (join 1), (failed)
    (join 1) -> (end)

workflow pay
    input $: uint64
    (start) -> (end)
"#;

    fn reason(text: &str) -> String {
        text.parse::<Shapes>().expect_err("the text is no lock").to_string()
    }

    #[test]
    fn a_text_that_is_read_and_written_is_the_same() {
        let shapes: Shapes = TEXT.parse().expect("it is well-formed");
        assert_eq!(shapes.to_string(), TEXT);
        assert_eq!(shapes.workflows["on-order"].flow.0.len(), 5);
        assert!(shapes.events["order/placed"].0["\"a: b\""].optional);
    }

    #[test]
    fn a_malformed_text_is_answered_with_its_line_and_a_reason() {
        let cases = [
            ("", "line 0: there is no line `format 1`"),
            ("app shop", "line 1: the first entry is `format 1`, not `app shop`"),
            ("format 2", "line 1: this version of indelible reads format 1, not `2`"),
            ("format 1\n\n<<<<<<< ours", "line 3: a merge has left a conflict here"),
            ("format 1\nfoo bar", "line 2: `foo` is none of `app`, `event` and `workflow`"),
            ("format 1\nevent", "line 2: an event without a name"),
            ("format 1\n  id: uuid", "line 2: `id: uuid` belongs to no event and no workflow"),
            ("format 1\nevent a/b\n  id", "line 3: `id` is no field: `name: type` is expected"),
            (
                "format 1\nworkflow w\n  fetch",
                "line 3: `fetch` is no step: a kind and an id are expected, as `run fetch`",
            ),
            ("format 1\nworkflow w\n  jump fetch", "line 3: `jump` is not a kind of step"),
            ("format 1\nworkflow w\n  (fork)", "line 3: `(fork)` is no place in a workflow"),
            (
                "format 1\nworkflow w\n  (start) -> gone",
                "line 3: workflow `w`: `gone` follows a step and has no line of its own",
            ),
            (
                "format 1\nworkflow w\n  as two",
                "line 3: `as two` is neither `as one of several` nor `as a list`",
            ),
            ("format 1\nevent a/b\nevent a/b", "line 3: `a/b` stands here a second time"),
        ];
        for (text, expected) in cases {
            assert_eq!(reason(text), expected);
        }
    }
}
