//! The people, the tickets and the comments that are there before the first event: what the web application of a
//! real help desk would have written.

use indelible::prelude::*;

use super::database::on;
use super::discussions::Comment;
use super::{Desk, Person, Ticket};

const COMMENTS: &str = include_str!("../../data/comments.jsonl");
const USERS: &str = include_str!("../../data/users.jsonl");
const TICKETS: &str = include_str!("../../data/tickets.jsonl");

const INSERT_USER: &str = "
    insert into users (id, email, name, role, skills) values ($1, $2, $3, $4, $5)
    on conflict (id) do nothing";

const INSERT_TICKET: &str = "
    insert into tickets (id, opened_by, title, description) values ($1, $2, $3, $4)
    on conflict (id) do nothing";

const INSERT_COMMENT: &str = "
    insert into comments (id, ticket, number, author, body) values ($1, $2, $3, $4, $5)
    on conflict (id) do nothing";

impl Desk {
    /// Makes the tables and fills in what is missing.
    pub(crate) async fn prepare(&self) -> Result<(), Failure> {
        self.database.patiently(|| self.database.create_tables()).await?;

        let users = parse::<Person>(USERS)?;
        let tickets = parse::<Ticket>(TICKETS)?;
        let comments = parse::<Comment>(COMMENTS)?;
        let skills: Vec<String> = users
            .iter()
            .map(|user| serde_json::to_string(&user.skills))
            .collect::<Result<_, _>>()?;
        on!(self.database, pool => {
            let mut transaction = pool.begin().await?;
            for (user, skills) in users.iter().zip(&skills) {
                sqlx::query(INSERT_USER)
                    .bind(user.id)
                    .bind(&user.email)
                    .bind(&user.name)
                    .bind(user.role.name())
                    .bind(skills)
                    .execute(&mut *transaction)
                    .await?;
            }
            for ticket in &tickets {
                sqlx::query(INSERT_TICKET)
                    .bind(ticket.id)
                    .bind(ticket.opened_by)
                    .bind(&ticket.title)
                    .bind(&ticket.description)
                    .execute(&mut *transaction)
                    .await?;
            }
            for comment in &comments {
                sqlx::query(INSERT_COMMENT)
                    .bind(comment.id)
                    .bind(comment.ticket)
                    .bind(comment.number)
                    .bind(comment.author)
                    .bind(&comment.body)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await
        })?;
        Ok(())
    }
}

fn parse<T: for<'de> Deserialize<'de>>(lines: &str) -> Result<Vec<T>, serde_json::Error> {
    lines.lines().map(serde_json::from_str).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_is_read_and_no_two_share_an_id() {
        let users = parse::<Person>(USERS).unwrap();
        let tickets = parse::<Ticket>(TICKETS).unwrap();
        let ids: HashSet<Uuid> = users
            .iter()
            .map(|user| user.id)
            .chain(tickets.iter().map(|ticket| ticket.id))
            .collect();
        assert_eq!(ids.len(), users.len() + tickets.len());
    }
}
