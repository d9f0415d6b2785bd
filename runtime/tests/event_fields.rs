//! The names and values by which a wait matches are those that serde writes.

use indelible::event::Event;
use indelible::prelude::*;
use serde::Serializer;
use serde_json::{Value, json};

#[derive(Default, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "order/paid")]
#[serde(rename_all = "camelCase")]
struct Paid {
    order_id: u32,
    #[serde(rename(serialize = "SHOP", deserialize = "SHOP"))]
    shop: String,
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String")]
    in_cents: u64,
    #[serde(skip)]
    _cache: u32,
    r#type: Option<u8>,
}

fn as_text<S: Serializer>(cents: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&cents.to_string())
}

macro_rules! renamed {
    ($($name:ident $event:tt $rule:tt),*) => {$(
        #[derive(Default, Event, Serialize, Deserialize, JsonSchema)]
        #[event(name = $event)]
        #[serde(rename_all = $rule)]
        struct $name {
            first: u8,
            two_words: u8,
            of_3_words: u8,
            _leading: u8,
        }

        impl $name {
            fn names() -> [&'static str; 4] {
                let fields = Self::FIELDS;
                let names = [fields.first.name(), fields.two_words.name()];
                [names[0], names[1], fields.of_3_words.name(), fields._leading.name()]
            }
        }
    )*};
}

renamed! {
    Lower "a/lower" "lowercase",
    Upper "a/upper" "UPPERCASE",
    Pascal "a/pascal" "PascalCase",
    Camel "a/camel" "camelCase",
    Snake "a/snake" "snake_case",
    ScreamingSnake "a/screaming" "SCREAMING_SNAKE_CASE",
    Kebab "a/kebab" "kebab-case",
    ScreamingKebab "a/loud" "SCREAMING-KEBAB-CASE"
}

fn written(event: &impl Serialize) -> Vec<String> {
    let Ok(Value::Object(object)) = serde_json::to_value(event) else { panic!("no object") };
    object.keys().cloned().collect()
}

#[test]
fn names_are_those_that_serde_writes() {
    macro_rules! assert_names {
        ($($name:ident),*) => {$({
            let mut names = $name::names().to_vec();
            let mut written = written(&$name::default());
            names.sort();
            written.sort();
            assert_eq!(names, written);
        })*};
    }
    assert_names!(Lower, Upper, Pascal, Camel, Snake, ScreamingSnake, Kebab, ScreamingKebab);
}

#[test]
fn attributes_of_a_field_are_followed() {
    let fields = Paid::FIELDS;
    let names =
        [fields.order_id.name(), fields.shop.name(), fields.in_cents.name(), fields.r#type.name()];
    assert_eq!(names, ["orderId", "SHOP", "inCents", "type"]);
    assert_eq!(
        serde_json::to_value(Paid { in_cents: 7, ..Paid::default() }).expect("it is JSON"),
        json!({"orderId": 0, "SHOP": "", "inCents": fields.in_cents.encode(7), "type": null})
    );
}
