//! Admissions sorted for the tables that they are written to.

use jiff::Timestamp;

use super::gathered::{Addition, room};
use super::{NewEvent, Routing, StoredEvent, Subscription};
use crate::event::EventId;
use crate::flow::{Admission, NewRun};

/// What is written for the events that are routed in one transaction.
#[derive(Default)]
pub(super) struct Admitted {
    /// Runs, each with the time when its event was accepted.
    pub(super) started: Vec<(NewRun, Timestamp)>,
    pub(super) gathered: Vec<Addition>,
    pub(super) blocked: Vec<Blocked>,
    pub(super) reports: Vec<NewEvent>,
}

/// A part of the app that cannot tell what to make of an event.
pub(super) struct Blocked {
    pub(super) part: String,
    pub(super) event: EventId,
    pub(super) reason: String,
}

impl Admitted {
    /// Adds what is made of an event, which has this place in the order of acceptance.
    pub(super) fn add(&mut self, event: &StoredEvent, seq: i64, routing: Routing) {
        let Routing { admissions, reports, keys: _ } = routing;
        self.reports.extend(reports);
        let accepted_at = event.accepted_at;
        for admission in admissions {
            match admission {
                Admission::Start(run) => self.started.push((run, accepted_at)),
                Admission::Gather(batch) => {
                    let (event, bytes) = (event.id, room(&event.data));
                    self.gathered.push(Addition { seq, event, bytes, accepted_at, batch });
                }
                Admission::Block { workflow, reason } => {
                    let part = Subscription::start(&event.name, &workflow).part;
                    self.blocked.push(Blocked { part, event: event.id, reason });
                }
                Admission::Skip(_) => {}
            }
        }
    }
}
