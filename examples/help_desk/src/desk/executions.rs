//! The record of every time that the code of a step ran. A step whose outcome was committed never
//! runs again; these rows are how that can be checked from outside.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use indelible::prelude::*;
use indelible::workflow::StepKind;

use super::database::{Database, on};
use crate::workflows::{
    admin_digest, batch_digest, mail_admin_digest, on_comment_posted, on_password_changed,
    on_password_reset_requested, on_ticket_created, on_urgent_ticket, on_user_signup,
    post_admin_digest, report_failure,
};

const BEGIN: &str = "
    insert into executions (id, step, subject) values ($1, $2, $3)
    on conflict (id) do nothing";

const END_ON_POSTGRES: &str = "
    update executions set ended_at = clock_timestamp(), error = $2 where id = $1";

const END_ON_SQLITE: &str = "
    update executions set ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), error = $2
    where id = $1";

pub(crate) struct Executions {
    database: Database,
    crash_at: Option<CrashPoint>,
    /// How often the step of the crash point has run in this process.
    reached: AtomicU32,
}

impl Executions {
    pub(crate) fn new(database: Database, crash_at: Option<CrashPoint>) -> Self {
        Self { database, crash_at, reached: AtomicU32::new(0) }
    }

    /// Does a step's work between the two ends of its record.
    pub(crate) async fn record<T>(
        &self,
        step: &'static str,
        subject: impl fmt::Display,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let id = Uuid::now_v7();
        let subject = subject.to_string();
        on!(self.database, pool => {
            sqlx::query(BEGIN).bind(id).bind(step).bind(&subject).execute(pool).await.map(drop)
        })?;

        let outcome = work.await;
        self.crash_if_asked(step);

        let error = outcome.as_ref().err().map(ToString::to_string);
        self.database
            .patiently(|| async {
                match &self.database {
                    Database::Postgres(pool) => sqlx::query(END_ON_POSTGRES)
                        .bind(id)
                        .bind(&error)
                        .execute(pool)
                        .await
                        .map(drop),
                    Database::Sqlite(pool) => sqlx::query(END_ON_SQLITE)
                        .bind(id)
                        .bind(&error)
                        .execute(pool)
                        .await
                        .map(drop),
                }
            })
            .await?;
        outcome
    }

    /// Dies in the worst place, if this is it: the effect has happened and the outcome is not
    /// committed.
    fn crash_if_asked(&self, step: &str) {
        let Some(point) = self.crash_at.as_ref().filter(|point| point.step == step) else {
            return;
        };
        if self.reached.fetch_add(1, Ordering::Relaxed) + 1 == point.execution {
            eprintln!("crashing at `{point}`, as asked; start again to go on");
            std::process::abort();
        }
    }
}

/// A place in which the process is to die: the Nth execution of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CrashPoint {
    step: String,
    execution: u32,
}

impl CrashPoint {
    /// The steps that run code of ours, by the graphs of the workflows.
    fn steps() -> Vec<&'static str> {
        let graphs = [
            on_ticket_created::GRAPH,
            on_urgent_ticket::GRAPH,
            on_user_signup::GRAPH,
            on_comment_posted::GRAPH,
            on_password_changed::GRAPH,
            on_password_reset_requested::GRAPH,
            admin_digest::GRAPH,
            mail_admin_digest::GRAPH,
            post_admin_digest::GRAPH,
            batch_digest::GRAPH,
            report_failure::GRAPH,
        ];
        let states = graphs.iter().flat_map(|graph| graph.states());
        let ours = states.filter(|state| state.kind == StepKind::Run).map(|state| state.id);
        // Two workflows fetch an account.
        let mut steps = Vec::new();
        for step in ours {
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        steps
    }
}

impl FromStr for CrashPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (step, execution) = match text.split_once(':') {
            None => (text, 1),
            Some((step, number)) => match number.parse() {
                Ok(number) if number > 0 => (step, number),
                _ => return Err(format!("`{number}` is not a number from 1 on")),
            },
        };
        if !Self::steps().contains(&step) {
            let steps = Self::steps().join("`, `");
            return Err(format!("there is no step `{step}`; the steps are `{steps}`"));
        }
        Ok(Self { step: step.to_owned(), execution })
    }
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.step, self.execution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(text: &str) -> Result<CrashPoint, String> {
        text.parse()
    }

    #[test]
    fn a_crash_point_is_a_step_and_the_number_of_its_execution() {
        let assign = |execution| CrashPoint { step: "assign".to_owned(), execution };
        assert_eq!(point("assign"), Ok(assign(1)));
        assert_eq!(point("assign:30"), Ok(assign(30)));
    }

    #[test]
    fn a_step_that_no_workflow_has_is_refused_with_those_that_there_are() {
        let error = point("asign").unwrap_err();
        assert!(error.contains("no step `asign`") && error.contains("`assign`"), "{error}");
        assert!(!error.contains("report-urgent"), "it runs no code of ours: {error}");
        assert!(point("assign:0").is_err() && point("assign:x").is_err());
    }
}
