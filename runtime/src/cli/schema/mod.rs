//! What an app's events look like, for programs in other languages.

mod asyncapi;
mod exported;
mod typescript;

use clap::{Subcommand, ValueEnum};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

pub(super) use self::exported::Exported;
use self::exported::Schemas;
use super::answer::Answer;

/// What is done with the schemas of events.
#[derive(Debug, Clone, Subcommand)]
#[non_exhaustive]
pub enum Schema {
    /// Write what the app's events look like, for other programs
    Export {
        /// The language to write in
        #[arg(long, value_enum, default_value_t)]
        format: SchemaFormat,
    },
}

/// A language for the schemas of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[non_exhaustive]
pub enum SchemaFormat {
    /// JSON Schema (2020-12) of `{"name": .., "data": ..}`
    #[default]
    JsonSchema,
    /// AsyncAPI 3.0, with a channel for each event
    Asyncapi,
    /// Types for TypeScript
    Typescript,
}

/// Writes the schemas of an app's events.
pub(super) fn export(exported: &Exported<'_>, format: SchemaFormat) -> Answer {
    match format {
        SchemaFormat::JsonSchema => Answer::default().line(pretty(json_schema(exported))),
        SchemaFormat::Asyncapi => Answer::default().line(pretty(asyncapi::document(exported))),
        SchemaFormat::Typescript => Answer::default().line(typescript::module(exported).trim_end()),
    }
}

fn json_schema(exported: &Exported<'_>) -> Value {
    let Schemas { events, definitions } =
        Schemas::of(exported.events, SchemaSettings::draft2020_12());
    let events = events.into_iter().map(|(name, data)| {
        json!({
            "type": "object",
            "properties": { "name": { "const": name }, "data": data },
            "required": ["name", "data"],
        })
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": exported.app,
        "description": format!("The events of `{}`, each with its name and its data.", exported.app),
        "oneOf": events.collect::<Vec<_>>(),
        "$defs": definitions,
    })
}

/// Its keys are in order also in a program in which JSON keeps the order that they come in.
fn pretty(mut document: Value) -> String {
    document.sort_all_objects();
    format!("{document:#}")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::event::EventDef;
    use crate::prelude::*;

    /// How urgent a ticket is.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Priority {
        Low,
        VeryHigh,
    }

    /// Who has opened a ticket.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Author {
        /// Somebody with an account.
        User {
            id: Uuid,
        },
        Guest {
            email: String,
            name: Option<String>,
        },
    }

    /// One comes with `*/` in it.
    #[derive(Serialize, Deserialize, JsonSchema)]
    enum Attachment {
        None,
        Text(String),
        Image { url: String, size: (u32, u32) },
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(untagged)]
    enum Number {
        Whole(i64),
        Text(String),
    }

    /// Points to itself.
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Thread {
        subject: String,
        replies: Vec<Thread>,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Common {
        tenant: String,
    }

    /// A customer opened a support ticket.
    ///
    /// It has not been looked at.
    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "ticket/created")]
    struct TicketCreated {
        /// Names the ticket.
        ticket_id: Uuid,
        author: Author,
        priority: Priority,
        fallback: Option<Priority>,
        note: Option<String>,
        #[serde(default)]
        tags: Vec<String>,
        #[serde(rename = "opened-at")]
        opened_at: Timestamp,
        number: Number,
        attachments: Vec<Attachment>,
        scores: BTreeMap<String, f64>,
        names: HashMap<u32, Option<String>>,
        thread: Thread,
        anything: serde_json::Value,
        nothing: (),
        #[serde(flatten)]
        common: Common,
    }

    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "ticket/closed")]
    #[serde(deny_unknown_fields)]
    struct TicketClosed {
        ticket_id: Uuid,
        is_solved: bool,
    }

    mod other {
        use crate::prelude::*;

        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(super) struct Priority {
            pub(super) seconds: u32,
        }

        /// So could this.
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(super) struct Record {
            pub(super) id: u64,
        }

        /// A name that a type of the document could have.
        #[derive(Event, Serialize, Deserialize, JsonSchema)]
        #[event(name = "queue/moved")]
        pub(super) struct Events {
            pub(super) priority: Priority,
            pub(super) by_name: std::collections::BTreeMap<String, Record>,
        }
    }

    #[workflow]
    async fn greet(_event: TicketCreated) -> Result<(), Failure> {
        Ok(())
    }

    crate::app! {
        Desk = "help-desk";
        events: [TicketCreated, TicketClosed, other::Events],
        workflows: [greet],
    }

    /// What `export` says is what stands in the file. `TRYBUILD=overwrite` writes it anew.
    fn assert_golden(format: SchemaFormat, name: &str) {
        let answer = super::super::exported(Desk, format);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/golden").join(name);
        if std::env::var_os("TRYBUILD").is_some_and(|mode| mode == "overwrite") {
            fs::write(&path, &answer.text).expect("the golden text is writable");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert!(answer.text == expected, "{} differs:\n{}", path.display(), answer.text);
        assert_eq!(answer.code, 0);
    }

    #[test]
    fn events_are_written_as_json_schema() {
        assert_golden(SchemaFormat::JsonSchema, "events.schema.json");
    }

    #[test]
    fn events_are_written_as_asyncapi() {
        assert_golden(SchemaFormat::Asyncapi, "events.asyncapi.json");
    }

    #[test]
    fn events_are_written_as_typescript() {
        assert_golden(SchemaFormat::Typescript, "events.ts");
    }

    #[test]
    fn types_of_one_name_are_told_apart() {
        let schemas = Schemas::of(
            &[EventDef::of::<TicketCreated>(), EventDef::of::<other::Events>()],
            SchemaSettings::draft2020_12(),
        );
        assert!(schemas.definitions.contains_key("Priority"));
        assert!(schemas.definitions.contains_key("Priority2"));
    }

    #[test]
    fn an_app_without_events_has_an_empty_document() {
        let exported = Exported { app: "empty", events: &[], received: &[] };
        let schema = json_schema(&exported);
        assert_eq!(schema["oneOf"], json!([]));
        let text = export(&exported, SchemaFormat::Typescript).text;
        assert!(text.ends_with("export interface Events {}\n"), "{text}");
    }
}
