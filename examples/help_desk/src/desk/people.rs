use std::fmt;
use std::str::FromStr;

use indelible::prelude::*;

use super::Desk;
use super::database::on;

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    /// What a moderator knows about.
    #[serde(default)]
    pub(crate) skills: Vec<String>,
}

/// What somebody does at the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Admin,
    Moderator,
    User,
}

/// Nobody has this address (any more).
#[derive(Debug, thiserror::Error)]
#[error("there is no user with the address `{0}`")]
struct NoSuchUser(String);

/// Served by the unique index on the address.
const BY_EMAIL: &str = "select id, email, name, role, skills from users where email = $1";

/// The users are few enough to be scanned.
const BY_ROLE: &str = "
    select id, email, name, role, skills from users where role = $1 or role = $2 order by id";

/// A person as a row.
pub(super) type PersonRow = (Uuid, String, String, String, String);

impl Desk {
    /// The user with an address.
    pub(crate) async fn user(&self, email: &str) -> Result<Person, Failure> {
        self.executions.record("fetch-user", email, self.with_email(email)).await
    }

    /// The user with an address, for a change of their password.
    pub(crate) async fn account(&self, change: Uuid, email: &str) -> Result<Person, Failure> {
        self.executions.record("fetch-account", change, self.with_email(email)).await
    }

    async fn with_email(&self, email: &str) -> Result<Person, Failure> {
        let row: Option<PersonRow> = on!(self.database, pool => {
            sqlx::query_as(BY_EMAIL).bind(email).fetch_optional(pool).await
        })?;
        person(row.ok_or_else(|| Permanent(NoSuchUser(email.to_owned()).into()))?)
    }

    /// Everybody who is to hear of an urgent ticket.
    pub(crate) async fn admins(&self, ticket: Uuid) -> Result<Vec<Person>, Failure> {
        self.executions.record("find-admins", ticket, self.all_admins()).await
    }

    pub(super) async fn all_admins(&self) -> Result<Vec<Person>, Failure> {
        self.with_role(Role::Admin, Role::Admin).await
    }

    /// Those who can be given tickets.
    pub(super) async fn staff(&self) -> Result<Vec<Person>, Failure> {
        self.with_role(Role::Admin, Role::Moderator).await
    }

    async fn with_role(&self, one: Role, other: Role) -> Result<Vec<Person>, Failure> {
        let rows: Vec<PersonRow> = on!(self.database, pool => {
            sqlx::query_as(BY_ROLE).bind(one.name()).bind(other.name()).fetch_all(pool).await
        })?;
        rows.into_iter().map(person).collect()
    }
}

pub(super) fn person(row: PersonRow) -> Result<Person, Failure> {
    let (id, email, name, role, skills) = row;
    let role: Role = role.parse().map_err(|error: String| Failure::msg(error))?;
    Ok(Person { id, email, name, role, skills: serde_json::from_str(&skills)? })
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Moderator => "moderator",
            Self::User => "user",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Admin, Self::Moderator, Self::User]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("`{text}` is not a role"))
    }
}
