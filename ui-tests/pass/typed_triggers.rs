use indelible::prelude::*;

#[derive(Serialize, Deserialize)]
struct Plain;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/created")]
struct TicketCreated;

#[workflow]
async fn by_an_event(_event: TicketCreated, _step: Step) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn by_an_event_with_its_id(_event: Received<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input)]
async fn started_directly(_input: Plain, _step: Step) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
