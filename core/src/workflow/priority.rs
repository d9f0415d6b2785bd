use std::fmt;

use super::filter::asked;
use crate::payload::{Payload, Undecodable};

/// Which runs begin first: `priority = if event.urgent { 600 } else { 0 }`.
///
/// Runs that wait are ordered by the time of their acceptance. A priority of 600 puts a run ahead of all runs that
/// were accepted up to 600 seconds before it; a negative one puts it behind later runs. So no run waits for ever,
/// however many with a higher priority keep coming. It orders runs that wait for a worker as well as those that
/// wait for a slot or for their turn under `throttle`.
///
/// It is a whole number from -43,200 to 43,200: twelve hours ahead or behind.
///
/// ```
/// # extern crate indelible_core as indelible;
/// use indelible::prelude::*;
///
/// #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// #[event(name = "ticket/created")]
/// pub struct TicketCreated {
///     pub ticket_id: Uuid,
///     pub urgent: bool,
/// }
///
/// # async fn triage(ticket: Uuid) -> Result<(), Failure> { Ok(()) }
/// #[workflow(priority = if event.urgent { 600 } else { 0 })]
/// async fn on_ticket_created(event: TicketCreated, step: Step) -> Result<(), Failure> {
///     step.run("triage", triage(event.ticket_id)).await?;
///     Ok(())
/// }
///
/// let priority = on_ticket_created::CONFIG.flow.priority.expect("it has one");
/// assert_eq!(priority.expression(), "if event.urgent { 600 } else { 0 }");
/// ```
#[derive(Clone, Copy)]
pub struct Priority {
    expression: &'static str,
    of: fn(&Payload) -> Result<i64, Undecodable>,
}

/// The furthest that a run is ahead of others, in seconds.
const FURTHEST: i64 = 12 * 60 * 60;

impl Priority {
    /// An expression over the input of a run.
    #[doc(hidden)]
    pub const fn new(
        expression: &'static str,
        of: fn(&Payload) -> Result<i64, Undecodable>,
    ) -> Self {
        Self { expression, of }
    }

    /// Its expression, as it stands in the source.
    pub const fn expression(&self) -> &'static str {
        self.expression
    }

    /// How many seconds a run with this input is ahead of others.
    ///
    /// # Errors
    ///
    /// When the expression panics or gives too much, or the input is not of its type.
    pub(crate) fn of(&self, input: &Payload) -> Result<i32, String> {
        let what = format_args!("the priority `{}`", self.expression);
        let seconds = asked(self.of, input, &what)?;
        let ahead = i32::try_from(seconds).ok().filter(|_| seconds.abs() <= FURTHEST);
        ahead.ok_or_else(|| {
            format!("{what} is {seconds}; it may be from -{FURTHEST} to {FURTHEST} seconds")
        })
    }
}

impl fmt::Debug for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "priority = {}", self.expression)
    }
}

/// What a priority may be.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a priority is a whole number of seconds, not `{Self}`",
    label = "expected an integer",
    note = "a positive number puts the run ahead of runs that were accepted up to so many seconds earlier, a negative one behind later ones"
)]
pub trait Seconds {
    fn seconds(self) -> i64;
}

macro_rules! integers {
    ($($integer:ty),*) => {
        $(
            #[diagnostic::do_not_recommend]
            impl Seconds for $integer {
                fn seconds(self) -> i64 {
                    i64::try_from(self).unwrap_or(i64::MAX)
                }
            }
        )*
    };
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64, usize);

/// A priority as it is read.
pub fn seconds(priority: impl Seconds) -> i64 {
    priority.seconds()
}
