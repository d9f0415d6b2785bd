//! A body's control flow over its states: lowered from syntax to a tree of what Rust does
//! ([`flow`]), then linked to edges between states ([`link`]).
//!
//! An error that leaves the body by `?` ends the run from any step; that is not drawn.

mod flow;
mod link;
mod lower;
mod parts;
mod source;

use std::borrow::Cow;
use std::fmt::Write as _;

pub(crate) use self::parts::{Edge, Node};
pub(super) use self::source::as_written;
use syn::Block;

use super::Handle;

/// How the states of a body follow one another.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) edges: Vec<Edge>,
}

impl Graph {
    /// The graph of a body whose states have these ids.
    pub(crate) fn of(body: &Block, handle: Option<&Handle>, states: &[String]) -> Self {
        Self { edges: link::link(&lower::lower(body, handle, states), states) }
    }

    /// The edges as text for a program to read, one a line: `0 1 total > 10`.
    pub(crate) fn to_lines(&self) -> String {
        let mut lines = String::new();
        for Edge { from, to, condition } in &self.edges {
            for node in [from, to] {
                let _ = match node {
                    Node::Start => write!(lines, "start "),
                    Node::State(state) => write!(lines, "{state} "),
                    Node::Fork(number) => write!(lines, "fork{number} "),
                    Node::Join(number) => write!(lines, "join{number} "),
                    Node::End => write!(lines, "end "),
                    Node::Failed => write!(lines, "failed "),
                    Node::Restarted => write!(lines, "restarted "),
                    Node::Junction(_) => Ok(()),
                };
            }
            lines.push_str(condition);
            lines.truncate(lines.trim_end_matches(' ').len());
            lines.push('\n');
        }
        lines
    }

    /// The graph as text for people, an edge a line. Square brackets would make rustc look for links in
    /// it, which takes it longer than many a step.
    pub(crate) fn to_text(&self, states: &[&str]) -> String {
        let name = |node: Node| match node {
            Node::Start => Cow::Borrowed("start"),
            Node::State(state) => Cow::Borrowed(states[state]),
            Node::Fork(number) => Cow::Owned(format!("fork {}", number + 1)),
            Node::Join(number) => Cow::Owned(format!("join {}", number + 1)),
            Node::End => Cow::Borrowed("end"),
            Node::Failed => Cow::Borrowed("failed"),
            Node::Restarted => Cow::Borrowed("restart"),
            Node::Junction(_) => Cow::Borrowed(""),
        };
        let mut text = String::new();
        for Edge { from, to, condition } in &self.edges {
            text.push_str(&name(*from));
            text.push_str(" -> ");
            text.push_str(&name(*to));
            if !condition.is_empty() {
                text.push_str("  (");
                text.push_str(condition);
                text.push(')');
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests;
