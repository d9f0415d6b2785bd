//! An app whose every step leaves a trace, for tests with several worker processes on one Postgres.

use indelible::prelude::*;
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::time::Duration;

use crate::controls::{
    Load, alone, latest, lots, newest, once, paced, ranked, rated, settled, whole,
};

/// How long the workers' steps may go on when they are asked to stop.
pub const GRACE: Duration = Duration::from_secs(60);

/// Where errands leave their traces: two tables beside the runtime's own.
pub struct Ground(PgPool);

impl Ground {
    /// Opens the database and makes the tables if they are not there.
    pub async fn open(url: &str) -> sqlx::Result<Self> {
        let pool = PgPoolOptions::new().max_connections(8).connect(url).await?;
        // Processes that start together would both find that there is no table.
        sqlx::raw_sql(
            "BEGIN;
             SELECT pg_advisory_xact_lock(77);
             CREATE TABLE IF NOT EXISTS traces (
                 run uuid NOT NULL, step text NOT NULL, pid bigint NOT NULL,
                 begun timestamptz NOT NULL DEFAULT clock_timestamp()
             );
             CREATE TABLE IF NOT EXISTS gates (name text PRIMARY KEY);
             COMMIT;",
        )
        .execute(&pool)
        .await?;
        Ok(Self(pool))
    }

    /// The pool, for the tests' own questions.
    pub fn pool(&self) -> &PgPool {
        &self.0
    }

    /// Lets the steps through that wait at a gate.
    pub async fn open_gate(&self, name: &str) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO gates (name) VALUES ($1)").bind(name).execute(&self.0).await?;
        Ok(())
    }

    /// Takes its process down while the gate is shut.
    async fn fall(&self, run: Uuid, step: &str, gate: &str) -> sqlx::Result<()> {
        self.trace(run, step).await?;
        let open = sqlx::query("SELECT FROM gates WHERE name = $1").bind(gate);
        if open.fetch_optional(&self.0).await?.is_none() {
            std::process::abort();
        }
        Ok(())
    }

    /// Works on a load for a moment.
    pub(crate) async fn stay(&self, load: u32) -> sqlx::Result<()> {
        self.trace(Uuid::nil(), &format!("load {load}")).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(())
    }

    /// Is on a bridge for a moment.
    async fn cross(&self, run: Uuid, bridge: &str) -> sqlx::Result<()> {
        self.trace(run, &format!("enter {bridge}")).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.trace(run, &format!("leave {bridge}")).await
    }

    async fn trace(&self, run: Uuid, step: &str) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO traces (run, step, pid) VALUES ($1, $2, $3)")
            .bind(run)
            .bind(step)
            .bind(i64::from(std::process::id()))
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Leaves a trace, then waits until the gate is open.
    async fn pass(&self, run: Uuid, step: &str, gate: &str) -> sqlx::Result<()> {
        self.trace(run, step).await?;
        loop {
            let open = sqlx::query("SELECT FROM gates WHERE name = $1").bind(gate);
            if open.fetch_optional(&self.0).await?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What an errand is to do.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "fleet/errand")]
pub struct Errand {
    /// A gate to wait at in the middle, if any.
    pub gate: Option<String>,
}

/// Three steps, the second of which may wait at a gate. Gives the number of steps.
#[workflow]
pub async fn errand(
    event: Errand,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<u32, Failure> {
    let run = step.uuid("run");
    step.run("leave", ground.trace(run, "leave")).await?;
    if let Some(gate) = &event.gate {
        step.run("wait-at-gate", ground.pass(run, "wait-at-gate", gate)).await?;
    }
    step.run("return-home", ground.trace(run, "return-home")).await?;
    Ok(if event.gate.is_some() { 3 } else { 2 })
}

/// Its second step takes the worker down that runs it, until the gate is open.
#[workflow(input)]
pub async fn pitfall(
    gate: String,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    let run = step.uuid("run");
    step.run("leave", ground.trace(run, "leave")).await?;
    step.run("fall", ground.fall(run, "fall", &gate)).await?;
    Ok(())
}

/// Asks for a way across a bridge.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "fleet/crossing")]
pub struct Crossing {
    /// Which one.
    pub bridge: String,
}

/// How many may be on a bridge at the same time.
pub const ON_A_BRIDGE: usize = 2;
/// How many may be on all bridges.
pub const ON_ALL_BRIDGES: usize = 4;

/// Goes across a bridge and back. In between it is off the bridge, as it has somebody else pay the toll.
#[workflow(concurrency(limit = 2, key = event.bridge), concurrency(limit = 4))]
pub async fn cross(
    event: Crossing,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    let run = step.uuid("run");
    step.run("there", ground.cross(run, &event.bridge)).await?;
    step.invoke("toll", pay_toll, ()).await?;
    step.run("back", ground.cross(run, &event.bridge)).await?;
    Ok(())
}

/// Pays for one who crosses.
#[workflow(input)]
pub async fn pay_toll((): (), step: Step) -> Result<(), Failure> {
    step.run("pay", async { Ok::<_, Failure>(()) }).await?;
    Ok(())
}

/// What a trace was left for, to be wiped by an undo.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Left {
    run: Uuid,
    step: String,
    gate: Option<String>,
}

/// Leaves the trace `undo-{step}`, after which it may wait at a gate.
async fn come_back(left: Left, Resource(ground): Resource<Ground>) -> Result<(), Failure> {
    let step = format!("undo-{}", left.step);
    match &left.gate {
        Some(gate) => ground.pass(left.run, &step, gate).await?,
        None => ground.trace(left.run, &step).await?,
    }
    Ok(())
}

async fn set_out(ground: &Ground, left: Left) -> Result<Left, Failure> {
    ground.trace(left.run, &left.step).await?;
    Ok(left)
}

/// Sets out twice and fails; on its way back it may wait at a gate.
#[workflow]
pub async fn retreat(
    event: Errand,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    let run = step.uuid("run");
    let left = |step: &str, gate: Option<&String>| Left {
        run,
        step: step.to_owned(),
        gate: gate.cloned(),
    };
    step.run("first", set_out(&ground, left("first", None))).undo(come_back).await?;
    step.run("second", set_out(&ground, left("second", event.gate.as_ref())))
        .undo(come_back)
        .await?;
    Err(Failure::msg("there is no way on"))
}

/// Goes round and round, one lap a generation, until there are so many; it may wait at a gate in
/// each.
#[workflow(input)]
pub async fn laps(
    (lap, of): (u32, u32),
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<u32, Failure> {
    let run = step.uuid("run");
    let gate = format!("lap-{lap}");
    step.run("lap", ground.pass(run, &gate, &gate)).await?;
    if lap < of {
        return step.restart((lap + 1, of));
    }
    Ok(lap)
}

/// Fails once its gate is open.
#[workflow(input, on_failure = report)]
pub async fn tumble(
    gate: String,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<(), Failure> {
    let run = step.uuid("run");
    step.run("tumble", ground.pass(run, "tumble", &gate)).await?;
    Err(Failure::msg("the bridge is down"))
}

/// Handles that, once the gate `report` is open.
#[workflow(input)]
pub async fn report(
    failed: RunFailed<String>,
    step: Step,
    Resource(ground): Resource<Ground>,
) -> Result<String, Failure> {
    let run = step.uuid("run");
    step.run("report", ground.pass(run, "report", "report")).await?;
    Ok(format!("{}: {}", failed.input, failed.error))
}

indelible::app! {
    pub Fleet = "fleet";
    events: [Errand, Crossing, Load],
    workflows: [
        errand, pitfall, retreat, laps, tumble, report, cross, pay_toll,
        whole, ranked, paced, rated, once, alone, newest, latest, settled, lots,
    ],
}
