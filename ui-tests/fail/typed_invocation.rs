use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow]
async fn on_ticket(_event: TicketCreated) -> Result<u32, Failure> {
    Ok(7)
}

async fn start(runtime: Runtime) -> Result<(), indelible::Error> {
    let run = runtime.start(on_ticket, "ticket/created").await?;
    let output: String = run.result().await?;
    println!("{output}");
    Ok(())
}

fn main() {}
