use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/deleted")]
struct TicketDeleted {
    ticket_id: String,
    number: u32,
}

#[derive(Serialize, Deserialize)]
struct NoEvent {
    number: u32,
}

#[workflow(cancel_on(TicketDeleted, matching = nummer))]
async fn an_unknown_field(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, cancel_on(TicketDeleted, matching(number = name)))]
async fn of_other_types(_input: Named) -> Result<(), Failure> {
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Named {
    name: String,
    number: u32,
}

#[workflow(input, cancel_on(NoEvent, matching = number))]
async fn no_event(_input: Named) -> Result<(), Failure> {
    Ok(())
}

#[workflow(cron("0 9 * * *"), cancel_on(TicketDeleted, matching = number))]
async fn nothing_to_compare(_tick: Tick) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, cancel_on = TicketDeleted)]
async fn in_another_form(_input: Named) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, cancel_on("ticket/deleted", matching = number))]
async fn by_name(_input: Named) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, cancel_on(TicketDeleted, number))]
async fn without_matching(_input: Named) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
