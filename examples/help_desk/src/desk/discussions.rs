use indelible::prelude::*;

use super::Desk;
use super::database::on;
use super::people::{Person, PersonRow, person};
use super::tickets::Ticket;
use crate::events::CommentPosted;
use crate::mail::Letter;

/// A new comment, and those who have to hear of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Discussion {
    pub(crate) ticket: Ticket,
    pub(crate) comment: Comment,
    /// Who opened the ticket, unless they wrote the comment or their account is gone.
    pub(crate) author: Option<Person>,
    /// Who else has commented on the ticket before.
    pub(crate) commenters: Vec<Person>,
}

/// What somebody wrote on a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Comment {
    pub(crate) id: Uuid,
    pub(crate) ticket: Uuid,
    /// From 1 on, on each ticket.
    pub(crate) number: i32,
    pub(crate) author: Uuid,
    pub(crate) body: String,
}

/// The comment was deleted, or never was.
#[derive(Debug, thiserror::Error)]
#[error("there is no comment {0}")]
struct NoSuchComment(Uuid);

/// Served by the primary key of the comment.
const COMMENT: &str = "
    select id, ticket, number, author, body from comments where id = $1 and ticket = $2";

/// Served by the primary key of the user.
const AUTHOR: &str = "
    select id, email, name, role, skills from users where id = $1 and id <> $2";

/// Served by the unique index on the ticket and the number of a comment.
const COMMENTERS: &str = "
    select id, email, name, role, skills from users
    where id <> $1 and id <> $2
        and id in (select author from comments where ticket = $3 and number < $4)
    order by id";

impl Desk {
    /// A new comment with its ticket and those who have to hear of it.
    pub(crate) async fn discussion(&self, posted: &CommentPosted) -> Result<Discussion, Failure> {
        let CommentPosted { ticket_id, comment_id } = *posted;
        let discussion = async {
            let ticket = self.find_ticket(ticket_id).await?;
            let comment: Option<(Uuid, Uuid, i32, Uuid, String)> = on!(self.database, pool => {
                sqlx::query_as(COMMENT).bind(comment_id).bind(ticket_id).fetch_optional(pool).await
            })?;
            let (id, ticket_id, number, author, body) =
                comment.ok_or_else(|| Permanent(NoSuchComment(comment_id).into()))?;
            let comment = Comment { id, ticket: ticket_id, number, author, body };

            let author: Option<PersonRow> = on!(self.database, pool => {
                sqlx::query_as(AUTHOR)
                    .bind(ticket.opened_by)
                    .bind(comment.author)
                    .fetch_optional(pool)
                    .await
            })?;
            let commenters: Vec<PersonRow> = on!(self.database, pool => {
                sqlx::query_as(COMMENTERS)
                    .bind(ticket.opened_by)
                    .bind(comment.author)
                    .bind(ticket.id)
                    .bind(comment.number)
                    .fetch_all(pool)
                    .await
            })?;
            Ok(Discussion {
                ticket,
                comment,
                author: author.map(person).transpose()?,
                commenters: commenters.into_iter().map(person).collect::<Result<_, _>>()?,
            })
        };
        self.executions.record("fetch-discussion", comment_id, discussion).await
    }

    /// Tells the one who opened a ticket about a comment on it.
    pub(crate) async fn notify_author(
        &self,
        letter: Uuid,
        to: &Person,
        discussion: &Discussion,
    ) -> Result<(), Failure> {
        let letter = Letter::comment(letter, to, discussion);
        let id = discussion.comment.id;
        self.executions.record("notify-author", id, self.mailer.send(&letter)).await
    }

    /// Tells one who has commented before about a comment.
    pub(crate) async fn notify_commenter(
        &self,
        letter: Uuid,
        to: &Person,
        discussion: &Discussion,
    ) -> Result<(), Failure> {
        // One letter each, under a key of its own.
        let letter = Letter::comment(Uuid::new_v5(&letter, to.id.as_bytes()), to, discussion);
        let subject = format!("{} {}", discussion.comment.id, to.email);
        self.executions.record("notify-commenter", subject, self.mailer.send(&letter)).await
    }
}
