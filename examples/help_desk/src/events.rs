//! What happens at the help desk, as the other programs of the house report it.

use indelible::prelude::*;

/// A customer opened a support ticket.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/created")]
pub(crate) struct TicketCreated {
    pub(crate) ticket_id: Uuid,
    pub(crate) opened_by: Uuid,
}

/// Somebody made an account.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "user/signup")]
pub(crate) struct UserSignedUp {
    pub(crate) email: String,
}

/// Triage found that a ticket cannot wait.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "app/admin.urgent-ticket-created")]
pub(crate) struct UrgentTicketCreated {
    pub(crate) ticket_id: Uuid,
    pub(crate) title: String,
    /// Who has the ticket, if anybody.
    pub(crate) assignee: Option<String>,
}
