use indelible::prelude::*;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/created")]
struct Created;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "app/account.password-changed")]
struct Dotted;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "product/out_of_stock")]
struct Underscored;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "indelible-ink/spilt")]
struct NotReserved;

fn main() {}
