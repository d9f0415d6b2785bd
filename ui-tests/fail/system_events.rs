use indelible::prelude::*;

#[workflow]
async fn report(_failed: RunFailed) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    Desk = "desk";
    events: [RunFailed],
    workflows: [report],
}

fn main() {}
