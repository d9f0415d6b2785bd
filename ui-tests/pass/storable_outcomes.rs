use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[derive(Serialize, Deserialize)]
struct Address(String);

async fn connect() -> Result<Address, std::io::Error> {
    Ok(Address(String::new()))
}

#[workflow]
async fn on_ticket(_event: TicketCreated, step: Step) -> Result<Address, Failure> {
    Ok(step.run("connect", connect()).await?)
}

fn main() {}
