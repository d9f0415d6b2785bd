use indelible::prelude::*;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "TicketCreated")]
struct Camel;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket")]
struct OnePart;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "app/ticket/created")]
struct ThreeParts;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
struct Nameless;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = TICKET_CREATED)]
struct Computed;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event("ticket/created")]
struct Unnamed;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(nmae = "ticket/created")]
struct Misspelt;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "indelible/run.failed")]
struct Reserved;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/generic")]
struct Generic<T> {
    value: T,
}

fn main() {}
