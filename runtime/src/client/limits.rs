//! What limits the runs of an app, and what operators set in place of what the code says.

use std::time::Duration;

use super::Client;
use crate::error::{Error, Result};
use crate::given::{LONGEST_KEY, check};
use crate::store::{LimitRecord, LimitRefusal};
use crate::workflow::Allowance;

impl Client {
    /// The limits of the app, in order of their names: what the code says of each, what an operator has set,
    /// and which keys are in use.
    ///
    /// A limit has the name of its workflow: `on-ticket-created/concurrency`, `/throttle`, `/rate-limit` or
    /// `/singleton`. A second concurrency limit of a workflow is `/concurrency-2`. A shared one is `app`, or
    /// `scope/` and its name. A limit is listed once a program that has it was started. Of each limit the 20
    /// busiest keys are listed.
    ///
    /// This goes over all runs that hold a slot or wait for one: ask it when you look, not all the time.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    #[doc(alias("queue", "concurrency"))]
    pub async fn limits(&self) -> Result<Vec<LimitRecord>> {
        Ok(self.store.limits(self.app()?).await?)
    }

    /// Sets what each key of a limit allows, in place of what the code says. `by` says who does so, and is
    /// kept with the time.
    ///
    /// It holds at once for all workers, and until you [reset](Self::reset_limit) it: also when programs
    /// restart, and when a new version of the code says something else. Runs that hold a slot keep it, also if
    /// there are more of them than are allowed now.
    ///
    /// A limit of 0 pauses its keys: with [`Allowance::Slots`] and [`Allowance::Pace`], runs wait. With
    /// [`Allowance::Window`], events are skipped, and they are not made up for. A `singleton` takes
    /// `Allowance::Slots(0)`, which pauses it, or `Allowance::Slots(1)`.
    ///
    /// ```
    /// # use indelible::workflow::Allowance;
    /// # async fn relieve(client: &indelible::Client) -> indelible::Result<()> {
    /// client.set_limit("on-ticket-created/concurrency", Allowance::Slots(2), "ada").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchLimit`]; [`Error::OtherLimit`] if the limit is one of another kind;
    /// [`Error::UnfitLimit`] if it cannot allow that; [`Error::UnfitText`] if `by` is longer than 1 KiB or has a
    /// NUL character (U+0000); or when the database does not answer.
    pub async fn set_limit(&self, name: &str, allows: Allowance, by: &str) -> Result<()> {
        if let Some(reason) = self.unfit(name, allows) {
            return Err(Error::UnfitLimit { limit: name.to_owned(), reason });
        }
        self.change_limit(name, Some(allows), by).await
    }

    /// Lets a limit allow again what the code says, at once for all workers. `by` says who does so, and is kept
    /// with the time.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchLimit`]; [`Error::UnfitText`] as [`set_limit`](Self::set_limit); or when the database
    /// does not answer.
    pub async fn reset_limit(&self, name: &str, by: &str) -> Result<()> {
        self.change_limit(name, None, by).await
    }

    async fn change_limit(&self, name: &str, allows: Option<Allowance>, by: &str) -> Result<()> {
        for (what, text) in [("the name of a limit", name), ("who changes a limit", by)] {
            check(text, LONGEST_KEY)
                .map_err(|cause| Error::UnfitText { what: what.to_owned(), cause })?;
        }
        let changed = self.store.set_limit(self.app()?, name, allows.as_ref(), by).await?;
        changed.map_err(|refusal| {
            let limit = name.to_owned();
            match (refusal, allows) {
                (LimitRefusal::OtherKind(allows), Some(given)) => {
                    Error::OtherLimit { limit, allows, given }
                }
                // It came up behind the question.
                (LimitRefusal::OtherKind(_), None) => Error::NoSuchLimit { limit, limits: vec![] },
                (LimitRefusal::Unknown(limits), _) => Error::NoSuchLimit { limit, limits },
            }
        })
    }

    /// Why a limit cannot allow that, whatever its kind is.
    fn unfit(&self, name: &str, allows: Allowance) -> Option<&'static str> {
        const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
        match allows {
            Allowance::Slots(2..) if self.is_singleton(name) => {
                Some("a singleton lets one run of a key through at a time, or none")
            }
            Allowance::Pace { per, .. } | Allowance::Window { per, .. } if per.is_zero() => {
                Some("its time is zero")
            }
            Allowance::Pace { per, .. } | Allowance::Window { per, .. } if per > LONGEST => {
                Some("its time is longer than a year")
            }
            _ => None,
        }
    }

    fn is_singleton(&self, limit: &str) -> bool {
        match self.program() {
            Some(program) => program.is_singleton(limit),
            None => limit.ends_with("/singleton") && !limit.starts_with("scope/"),
        }
    }
}
