use indelible::prelude::*;

#[workflow(input, timeout(start = "1 fortnight", finsh = "1 day"))]
async fn misspelt(_input: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, timeout = "1 day")]
async fn in_another_form(_input: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, timeout(finish = 30))]
async fn a_number(_input: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn by_places(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let ticket = event.ticket;
    step.run("one", async move { Ok(ticket) }).backoff("1s").await?;
    step.run("both", async move { Ok(ticket) }).backoff("1s", "5m").await?;
    Ok(())
}

fn main() {}
