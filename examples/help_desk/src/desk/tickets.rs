use indelible::prelude::*;

use super::Desk;
use super::database::on;
use super::people::{Person, PersonRow, Role, person};
use crate::analysis::Analysis;

/// What a customer wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) id: Uuid,
    pub(crate) opened_by: Uuid,
    pub(crate) title: String,
    pub(crate) description: String,
}

/// The ticket was deleted, or never was.
#[derive(Debug, thiserror::Error)]
#[error("there is no ticket {0}")]
struct NoSuchTicket(Uuid);

// All of these are served by the primary key of the ticket.

const FIND: &str = "select id, opened_by, title, description from tickets where id = $1";

/// A status only moves forward: an execution that comes late changes nothing.
const MARK_TODO: &str = "update tickets set status = 'todo' where id = $1 and status = 'new'";

const STORE_ANALYSIS: &str = "
    update tickets set priority = $2, notes = $3, skills = $4, status = 'in_progress'
    where id = $1";

/// A ticket is given away once; whoever asks again hears who has it.
const ASSIGN: &str = "update tickets set assignee = $2 where id = $1 and assignee is null";

const ASSIGNEE: &str = "
    select users.id, users.email, users.name, users.role, users.skills
    from tickets join users on users.id = tickets.assignee
    where tickets.id = $1";

const AUDIT: &str = "
    insert into audit (key, ticket, action, detail) values ($1, $2, $3, $4)
    on conflict (key) do nothing";

/// Whoever opened the ticket hears of it in the morning, if their account is still there.
const NOTIFY: &str = "
    insert into notifications (key, recipient, text)
    select $1, users.id, $3
    from tickets join users on users.id = tickets.opened_by
    where tickets.id = $2
    on conflict (key) do nothing";

impl Desk {
    /// A ticket.
    pub(crate) async fn ticket(&self, id: Uuid) -> Result<Ticket, Failure> {
        self.executions.record("fetch-ticket", id, self.find_ticket(id)).await
    }

    pub(super) async fn find_ticket(&self, id: Uuid) -> Result<Ticket, Failure> {
        let row: Option<(Uuid, Uuid, String, String)> = on!(self.database, pool => {
            sqlx::query_as(FIND).bind(id).fetch_optional(pool).await
        })?;
        let (id, opened_by, title, description) =
            row.ok_or_else(|| Permanent(NoSuchTicket(id).into()))?;
        Ok(Ticket { id, opened_by, title, description })
    }

    /// Puts a new ticket on the list of what is to be done.
    pub(crate) async fn mark_todo(&self, id: Uuid) -> Result<(), Failure> {
        let marked = async {
            on!(self.database, pool => sqlx::query(MARK_TODO).bind(id).execute(pool).await.map(drop))?;
            Ok(())
        };
        self.executions.record("mark-todo", id, marked).await
    }

    /// Writes down what a ticket is about; it is in progress from then on.
    pub(crate) async fn store_analysis(
        &self,
        entry: Uuid,
        id: Uuid,
        analysis: &Analysis,
    ) -> Result<(), Failure> {
        let stored = async {
            let priority = analysis.priority.name();
            let skills = serde_json::to_string(&analysis.skills)?;
            on!(self.database, pool => {
                let mut transaction = pool.begin().await?;
                sqlx::query(STORE_ANALYSIS)
                    .bind(id)
                    .bind(priority)
                    .bind(&analysis.notes)
                    .bind(&skills)
                    .execute(&mut *transaction)
                    .await?;
                sqlx::query(AUDIT)
                    .bind(entry)
                    .bind(id)
                    .bind("analysed")
                    .bind(priority)
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await
            })?;
            Ok(())
        };
        self.executions.record("store-analysis", id, stored).await
    }

    /// Gives a ticket to whoever suits it, and says to whom.
    pub(crate) async fn assign(
        &self,
        entry: Uuid,
        id: Uuid,
        skills: &[String],
    ) -> Result<Option<Person>, Failure> {
        let assigned = async {
            let staff = self.staff().await?;
            let choice = choose(id, skills, &staff);
            let to = choice.map(|person| person.id);
            let detail = choice.map_or("nobody", |person| &person.email);
            let news = match choice {
                Some(person) => format!("{} looks after ticket {id}.", person.name),
                None => format!("Ticket {id} was read, and will be looked after."),
            };
            let assignee: Option<PersonRow> = on!(self.database, pool => {
                let mut transaction = pool.begin().await?;
                sqlx::query(ASSIGN).bind(id).bind(to).execute(&mut *transaction).await?;
                sqlx::query(AUDIT)
                    .bind(entry)
                    .bind(id)
                    .bind("assigned")
                    .bind(detail)
                    .execute(&mut *transaction)
                    .await?;
                sqlx::query(NOTIFY)
                    .bind(entry)
                    .bind(id)
                    .bind(&news)
                    .execute(&mut *transaction)
                    .await?;
                let row = sqlx::query_as(ASSIGNEE)
                    .bind(id)
                    .fetch_optional(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                Ok(row)
            })?;
            assignee.map(person).transpose()
        };
        self.executions.record("assign", id, assigned).await
    }
}

/// The moderator who has most of the skills, else an admin, else nobody. Among equals the ticket's
/// own id decides, so that the work is spread and the choice is the same whenever it is made.
fn choose<'a>(ticket: Uuid, skills: &[String], staff: &'a [Person]) -> Option<&'a Person> {
    let wanted: Vec<String> = skills.iter().map(|skill| skill.to_lowercase()).collect();
    let matching = |person: &Person| {
        person.skills.iter().filter(|skill| wanted.contains(&skill.to_lowercase())).count()
    };
    let lot = |person: &Person| Uuid::new_v5(&ticket, person.id.as_bytes());

    let with_role = |role| staff.iter().filter(move |person| person.role == role);
    with_role(Role::Moderator)
        .filter(|person| matching(person) > 0)
        .max_by_key(|person| (matching(person), lot(person)))
        .or_else(|| with_role(Role::Admin).max_by_key(|person| lot(person)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, role: Role, skills: &[&str]) -> Person {
        Person {
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
            email: format!("{name}@example.com"),
            name: name.to_owned(),
            role,
            skills: skills.iter().map(ToString::to_string).collect(),
        }
    }

    fn chosen<'a>(skills: &[&str], staff: &'a [Person]) -> Option<&'a str> {
        let skills: Vec<String> = skills.iter().map(ToString::to_string).collect();
        choose(Uuid::nil(), &skills, staff).map(|person| &*person.name)
    }

    #[test]
    fn a_moderator_is_found_by_any_skill_in_any_case() {
        let staff = [
            person("ann", Role::Admin, &["billing"]),
            person("ben", Role::Moderator, &["Wi-Fi", "Networking"]),
            person("cat", Role::Moderator, &["Billing"]),
        ];
        assert_eq!(chosen(&["BILLING", "refunds"], &staff), Some("cat"));
    }

    #[test]
    fn who_has_more_of_the_skills_goes_before_who_has_fewer() {
        let staff = [
            person("ben", Role::Moderator, &["billing"]),
            person("cat", Role::Moderator, &["billing", "refunds"]),
            person("dan", Role::Moderator, &["refunds"]),
        ];
        assert_eq!(chosen(&["refunds", "billing"], &staff), Some("cat"));
    }

    #[test]
    fn what_no_moderator_knows_goes_to_an_admin_and_else_to_nobody() {
        let staff = [
            person("ann", Role::Admin, &[]),
            person("ben", Role::Moderator, &["billing"]),
            person("una", Role::User, &["printing"]),
        ];
        assert_eq!(chosen(&["printing"], &staff), Some("ann"));
        assert_eq!(chosen(&[], &staff), Some("ann"));
        assert_eq!(chosen(&["printing"], &staff[1..]), None);
    }

    #[test]
    fn equals_share_the_work() {
        let staff = ["ben", "cat"].map(|name| person(name, Role::Moderator, &["billing"])).to_vec();
        let skills = ["billing".to_owned()];
        let bens = (0..100u128)
            .filter(|ticket| {
                choose(Uuid::from_u128(*ticket), &skills, &staff)
                    .is_some_and(|person| person.name == "ben")
            })
            .count();
        assert!((30..=70).contains(&bens), "{bens} of 100");
    }
}
