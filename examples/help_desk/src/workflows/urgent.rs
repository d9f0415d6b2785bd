use indelible::prelude::*;

use crate::desk::Desk;
use crate::events::UrgentTicketCreated;

/// Tell every admin about a ticket that cannot wait.
#[workflow(retries = 2)]
pub(crate) async fn on_urgent_ticket(
    event: UrgentTicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    let admins = step.run("find-admins", desk.admins(event.ticket_id)).await?;
    for admin in &admins {
        let letter = step.uuid("alarm-letter");
        step.run("alarm-admin", desk.alarm(letter, admin, &event)).await?;
    }
    Ok(admins.len())
}
