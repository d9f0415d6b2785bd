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

/// Somebody wrote a comment on a ticket.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "app/comment.posted")]
pub(crate) struct CommentPosted {
    pub(crate) ticket_id: Uuid,
    pub(crate) comment_id: Uuid,
}

/// Somebody has a new password.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "app/account.password-changed")]
pub(crate) struct PasswordChanged {
    pub(crate) change_id: Uuid,
    pub(crate) email: String,
}

/// Somebody does not know their password.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "app/password.reset-requested")]
pub(crate) struct PasswordResetRequested {
    pub(crate) reset_id: Uuid,
    pub(crate) email: String,
}

/// Somebody chose a new password with the token of a mail.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "app/password.reset-used")]
pub(crate) struct PasswordResetUsed {
    pub(crate) reset_id: Uuid,
}

/// The numbers of a day are there.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "app/admin-digest.ready")]
pub(crate) struct AdminDigestReady {
    pub(crate) day: Timestamp,
    /// Tickets that were not triaged yet.
    pub(crate) waiting: i64,
    /// Tickets that cannot wait.
    pub(crate) urgent: i64,
    /// Tickets that were triaged and that nobody has.
    pub(crate) unassigned: i64,
}
