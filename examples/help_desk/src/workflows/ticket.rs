use indelible::prelude::*;

use crate::analysis::Priority;
use crate::desk::Desk;
use crate::events::{TicketCreated, UrgentTicketCreated};

/// How a ticket was handed out.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) ticket: Uuid,
    pub(crate) priority: Priority,
    /// The name of the person who has it now.
    pub(crate) assignee: Option<String>,
}

/// Triage a new ticket and hand it to whoever knows most about it.
#[workflow(retries = 2, concurrency(limit = 5, key = event.opened_by))]
pub(crate) async fn on_ticket_created(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<Assignment, Failure> {
    let ticket = step.run("fetch-ticket", desk.ticket(event.ticket_id)).await?;
    step.run("mark-todo", desk.mark_todo(ticket.id)).await?;

    let analysis = step.run("analyse", desk.analyse(&ticket)).retries(5).timeout("30s").await?;
    let entry = step.uuid("analysis-entry");
    step.run("store-analysis", desk.store_analysis(entry, ticket.id, &analysis)).await?;

    let entry = step.uuid("assignment-entry");
    let assignee = step.run("assign", desk.assign(entry, ticket.id, &analysis.skills)).await?;
    if let Some(assignee) = &assignee {
        let letter = step.uuid("assignment-letter");
        step.run("notify-assignee", desk.notify_assignee(letter, assignee, &ticket, &analysis))
            .await?;
    }

    let assignee = assignee.map(|person| person.name);
    if analysis.priority == Priority::High {
        let urgent = UrgentTicketCreated {
            ticket_id: ticket.id,
            title: ticket.title.clone(),
            assignee: assignee.clone(),
        };
        step.send_event("report-urgent", urgent).await?;
    }
    Ok(Assignment { ticket: ticket.id, priority: analysis.priority, assignee })
}
