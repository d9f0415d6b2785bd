//! AsyncAPI 3.0: <https://www.asyncapi.com/docs/reference/specification/v3.0.0>.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::exported::{Exported, Schemas};

/// Each event is a message in a channel of its own. The app receives those that its workflows ask for.
pub(super) fn document(exported: &Exported<'_>) -> Value {
    // The schemas of AsyncAPI are those of draft 07, and more.
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let Schemas { events, definitions } = Schemas::of(exported.events, settings);
    let schemas = Value::from(definitions.clone());
    let channels: Map<_, _> = events
        .iter()
        .map(|(name, data)| {
            let message = message(name, data, &definitions);
            let channel = json!({ "address": name, "messages": { "event": message } });
            ((*name).to_owned(), channel)
        })
        .collect();
    let received = events.iter().filter(|(name, _)| exported.received.contains(name));
    let operations: Map<_, _> = received
        .map(|(name, _)| {
            let channel = format!("#/channels/{}", name.replace('/', "~1"));
            let operation = json!({ "action": "receive", "channel": { "$ref": channel } });
            (format!("receive {name}"), operation)
        })
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": exported.app,
            "version": version(&channels, &schemas),
            "description": format!("The events of `{}`.", exported.app),
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": { "schemas": schemas },
    })
}

fn message(name: &str, data: &Value, definitions: &Map<String, Value>) -> Value {
    let mut message = json!({ "name": name, "title": name, "payload": data });
    let definition = data["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let definition = definition.and_then(|definition| definitions.get(definition));
    if let Some(Value::String(text)) = definition.and_then(|found| found.get("description")) {
        message["summary"] = text.lines().next().unwrap_or_default().into();
    }
    message
}

/// A document needs a version: this one is the same as long as its content is.
fn version(channels: &Map<String, Value>, schemas: &Value) -> String {
    let mut content = json!([channels, schemas]);
    content.sort_all_objects();
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, content.to_string().as_bytes());
    hash.simple().to_string()[..12].to_owned()
}
