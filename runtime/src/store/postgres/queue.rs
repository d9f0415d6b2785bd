//! How runs are made, and how they become claimable. Each is written once, as a part of the statements
//! that do it: what has to hold for every run that goes this way is said here.
//!
//! They are parts and no statements of their own, nor functions: those would see another snapshot.

use crate::store::hints::{Stirred, Work};

/// The columns that every run has as it is made.
macro_rules! columns {
    () => {
        "id, app, workflow, status, input, seed, rank, accepted_at, since"
    };
}
pub(super) use columns;

/// The CTEs `started` and `released`: the rows of `$new`, a CTE, become runs, which are ready to be
/// claimed but for those that are gated: where these wait is said in the same transaction, by
/// [`enter`](super::gates::enter).
///
/// Every run has the [`columns`], and those of `$further`; `$new` has them under the same names. Of a run that is there
/// already `$conflict` says what happens, and without it the statement fails. `started` has the runs
/// that were made, with what [`released`] takes.
macro_rules! started {
    ($new:literal, $further:literal $(, $conflict:literal)?) => {
        concat!(
            "started AS (
        INSERT INTO indelible.runs (",
            $crate::store::postgres::queue::columns!(),
            ", ",
            $further,
            ")
        SELECT ",
            $crate::store::postgres::queue::columns!(),
            ", ",
            $further,
            "
        FROM ",
            $new,
            $("
        ", $conflict,)?
            "
        RETURNING id, app, workflow, rank, suspects, gated
    ),
    ",
            $crate::store::postgres::queue::released!("started WHERE NOT gated")
        )
    };
}
pub(super) use started;

/// The CTE `released`: runs that nobody holds become ready to be claimed. `$runs`, a CTE, has their `id`,
/// `app`, `workflow`, `rank`, `suspects` and `gated`; it may be followed by a condition. Those that are
/// gated have to pass their gates first: see [`gates`](super::gates).
///
/// Of a run that is ready already `$conflict` says what happens, and without it the statement fails.
/// `released` has the app of each run that was not, and whether the run has gates to pass.
macro_rules! released {
    ($runs:literal $(, $conflict:literal)?) => {
        concat!(
            "released AS (
        INSERT INTO indelible.ready (run_id, app, workflow, rank, suspects)
        SELECT id, app, workflow, rank, CASE WHEN gated THEN -1 ELSE suspects END FROM ",
            $runs,
            $("
        ", $conflict,)?
            "
        RETURNING app, suspects < 0 AS asks
    )"
        )
    };
}
pub(super) use released;

/// What it stirs that runs of apps are ready, each with whether it has gates to pass first.
pub(super) fn stirred<'a>(ready: impl IntoIterator<Item = &'a (String, bool)>) -> Stirred {
    let mut stirred = Stirred::nothing();
    for (app, asks) in ready {
        stirred.add(app, if *asks { Work::GATES } else { Work::READY });
    }
    stirred
}
