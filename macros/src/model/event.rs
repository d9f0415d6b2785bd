use syn::{Ident, LitStr, Path};

use super::event_fields::{EventField, fields};
use super::values::{path, string};
use crate::parse::{Argument, DeriveSyntax, did_you_mean};
use crate::problem::{Problem, Problems};

/// An event type as its author wrote it.
pub(crate) struct EventModel {
    pub(crate) item: syn::DeriveInput,
    pub(crate) name: Option<LitStr>,
    pub(crate) fields: Vec<EventField>,
    pub(crate) krate: Option<Path>,
}

const KNOWN: &[&str] = &["name", "crate"];

impl EventModel {
    pub(crate) fn new(DeriveSyntax { arguments, item }: DeriveSyntax, problems: &Problems) -> Self {
        let (mut name, mut krate) = (None, None);
        let named = arguments.iter().any(|argument| argument.name == "name");
        for Argument { name: argument, value } in arguments {
            match argument.to_string().as_str() {
                "name" if name.is_some() => {
                    problems.report(Problem::at(&argument, "`name` is given twice"));
                }
                "name" => name = problems.ok(string(&argument, value, "\"ticket/created\"")),
                "crate" => krate = problems.ok(path(&argument, value)),
                unknown => problems.report(
                    Problem::at(&argument, format!("`#[event]` has no argument `{unknown}`"))
                        .help(did_you_mean(unknown, KNOWN)),
                ),
            }
        }
        // What could not be read may have been the name.
        if !named && problems.is_empty() {
            problems.report(unnamed(&item.ident));
        }
        let fields = fields(&item);
        Self { item, name, fields, krate }
    }
}

fn unnamed(ident: &Ident) -> Problem {
    Problem::at(ident, format!("the event `{ident}` has no name"))
        .note(
            "events are stored and sent by name, so that other programs can use them, and you can \
             rename the type",
        )
        .help("#[event(name = \"area/what-happened\")], for example \"ticket/created\"")
}
