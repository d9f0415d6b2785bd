//! Runs that other runs start.

use jiff::Timestamp;
use uuid::Uuid;

use super::database::Link;
use super::gates;
use super::queue::started;
use super::value::Time;
use crate::journal::{Child, RunId};
use crate::store::gated::Subject;
use crate::store::{RunStatus, StoreError};

/// Starts children in the commit of their parents' entries, in their parents' traces. Those of `$4` are
/// silent. Served by the primary key of runs.
pub(super) const START: &str = concat!(
    "
    WITH new AS (
        SELECT child.id, parent.app, child.workflow, $1 AS status, parent.id AS parent,
               child.detached, parent.id = ANY ($4) AS silent, parent.trace_context,
               child.input::json AS input, child.seed, child.gated,
               (extract(epoch FROM $2) * 1000000)::bigint - child.ahead::bigint * 1000000 AS rank,
               $2 AS accepted_at, $3 AS since
        FROM unnest($5::uuid[], $6::uuid[], $7::text[], $8::boolean[], $9::text[], $10::uuid[],
                    $11::boolean[], $12::integer[])
            AS child (id, parent, workflow, detached, input, seed, gated, ahead)
        JOIN indelible.runs parent ON parent.id = child.parent
    ),
    ",
    started!("new", "parent, detached, silent, trace_context, gated"),
    "
    SELECT count(*) FROM started"
);

pub(super) async fn start(
    connection: &mut Link,
    app: &str,
    children: &[(RunId, &Child)],
    silent: &[RunId],
    at: Timestamp,
    since: i64,
) -> Result<(), StoreError> {
    if children.is_empty() {
        return Ok(());
    }
    let column = |value: fn(&Child) -> Uuid| -> Vec<Uuid> {
        children.iter().map(|(_, child)| value(child)).collect()
    };
    sqlx::query(START)
        .bind(RunStatus::Queued.name())
        .bind(Time(at))
        .bind(since)
        .bind(silent.iter().map(|parent| parent.as_uuid()).collect::<Vec<_>>())
        .bind(column(|child| child.id.as_uuid()))
        .bind(children.iter().map(|(parent, _)| parent.as_uuid()).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, child)| child.workflow).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, child)| child.detached).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, child)| child.input.as_str()).collect::<Vec<_>>())
        .bind(column(|child| child.seed))
        .bind(children.iter().map(|(_, child)| !child.gates.is_empty()).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, child)| child.ahead).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    gates::enter(connection, app, &Subject::among_children(children)).await
}
