use indelible::prelude::*;

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/created")]
struct TicketCreated {
    ticket: u32,
}

struct Desk;

impl Desk {
    async fn status(&self, ticket: &str) -> Result<String, std::io::Error> {
        Ok(ticket.to_owned())
    }
}

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<String, Failure> {
    let status = step.run("read-status", desk.status(&format!("{}", event.ticket))).await?;
    step.sleep("rest", "1h 30m").await;
    Ok(status)
}

fn main() {}
