use indelible::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Plain;

async fn on_plain(_event: Plain) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    HelpDesk = "Help Desk";
    events: [Plain],
    workflows: [on_plain],
}

indelible::app! {
    Misspelt = "misspelt";
    evnets: [],
}

indelible::app! {}

fn main() {}
