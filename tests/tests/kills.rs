//! Each durable operation, in a process that is killed at each of its commits.
//!
//! A run goes its way undisturbed once, and its story is taken down. Then a second one is killed
//! wherever the first one has begun a step or committed something, and goes on each time in the other
//! version of the program. In the end nobody can tell which was which.

use std::process::Command;
use std::time::{Duration, Instant};

use indelible::prelude::*;
use indelible::{Client, RunRecord};
use indelible_tests::databases::Fresh;
use indelible_tests::left_behind::nothing_left_behind;
use indelible_tests::operations::{Before, Ledger, Paid, before};
use indelible_tests::process::Process;
use indelible_tests::tables::Tables;
use indelible_tests::tripwire::{Moment, Point, Tripwire};

/// What is tested of each operation, on each kind of database: its name, and how its runs end.
macro_rules! operations {
    ($($operation:ident: $end:literal,)*) => {
        const ENDS: &[(&str, &str)] = &[$((stringify!($operation), $end)),*];

        /// Starts a run of an operation.
        async fn start(client: &Client, operation: &str, order: u32) -> RunId {
            let started = match operation {
                $(stringify!($operation) => client.start(before::$operation, order).await,)*
                _ => panic!("there is no operation `{operation}`"),
            };
            started.expect("it starts").id()
        }

        mod postgres {
            #[tokio::test]
            async fn two_versions_share_the_work() {
                super::two_versions_share_the_work(super::Fresh::postgres().await).await;
            }

            $(#[tokio::test]
            async fn $operation() {
                super::kills_change_nothing(super::Fresh::postgres().await, stringify!($operation)).await;
            })*
        }

        mod pooled {
            $(#[tokio::test]
            async fn $operation() {
                super::kills_change_nothing(super::Fresh::pooled().await, stringify!($operation)).await;
            })*
        }

        mod sqlite {
            #[tokio::test]
            async fn two_versions_share_the_work() {
                super::two_versions_share_the_work(super::Fresh::sqlite().await).await;
            }

            $(#[tokio::test]
            async fn $operation() {
                super::kills_change_nothing(super::Fresh::sqlite().await, stringify!($operation)).await;
            })*
        }
    };
}

operations! {
    runs: "first, second",
    retries: "flaky",
    transacts: "pay, receipt",
    sleeps: "evening, morning",
    waits: "paid, ship",
    gives_up: "unpaid",
    invokes: "play",
    detaches: "play",
    abandons: "paid",
    sends: "2 parcels",
    races: "quick",
    joins: "left, right, 3 items",
    carries: "3 laps",
    restarts: "lap",
    undoes: "there is no third",
    fails: "in vain",
    cancels: "enough",
    takes_turns: "mine, lent, again",
    tells: "speak",
}

/// Those whose branches may end in any order.
const UNORDERED: &[&str] = &["joins", "sends"];

/// Those with branches: what one of them has done may land with what another is killed for.
const BRANCHED: &[&str] = &["joins", "sends", "races"];

/// A database with the story of what happens in it.
struct Scene {
    client: Client,
    wire: Tripwire,
}

/// What can be told of a run when all is over.
#[derive(Debug, PartialEq)]
struct Outcome {
    end: String,
    story: Vec<String>,
    payments: i64,
    events: i64,
}

impl Scene {
    async fn on(database: Fresh) -> Self {
        let builder = Runtime::builder(Before).database(database.url());
        let client = builder.connect().await.expect("a client");
        Self { client, wire: Tripwire::beside_the_runs_of(database).await }
    }

    fn worker(&self, version: &str) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_operations"));
        let database = self.wire.database();
        command.arg(database.url()).arg(version).arg(database.direct_url());
        Process::start(&mut command)
    }

    async fn count(&self, question: &str) -> i64 {
        self.wire.ledger().count(question).await.expect("it can be counted")
    }

    /// What the runtime's tables are called, before their names.
    fn schema(&self) -> &'static str {
        match self.wire.ledger() {
            Ledger::Postgres(_) => "indelible.",
            Ledger::Sqlite(_) => "indelible_",
        }
    }

    /// How many rows one of the runtime's tables has.
    async fn rows(&self, table: &str) -> i64 {
        self.count(&format!("SELECT count(*) FROM {}{table}", self.schema())).await
    }

    async fn story(&self) -> Vec<String> {
        self.wire.ledger().story().await.expect("the story can be read")
    }

    /// Whether no run is unfinished, and no event will start another.
    async fn is_over(&self) -> bool {
        let schema = self.schema();
        // At one moment: an event is a delivery until its runs are there.
        let left = format!(
            "SELECT (SELECT count(*) FROM {schema}runs WHERE ended_at IS NULL)
                  + (SELECT count(*) FROM {schema}deliveries)"
        );
        self.count(&left).await == 0
    }

    /// Watches a process until all is over, or until it comes to the wire: whether it has.
    async fn comes_to(
        &self,
        point: Option<&Point>,
        actor: &mut Actor,
        process: &mut Process,
    ) -> bool {
        let since = Instant::now();
        loop {
            let is_over = self.is_over().await;
            if let Some(point) = point
                && self.wire.is_reached(point).await
            {
                return true;
            }
            if is_over {
                return false;
            }
            actor.act(self).await;
            assert!(process.ended().is_none(), "the process went down by itself");
            if since.elapsed() > Duration::from_secs(60) {
                panic!("neither over nor at {point:?}: {:#?}", self.story().await);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What there is to tell of a run that is over; the story begins anew.
    async fn outcome(&self, operation: &str, run: RunId) -> Outcome {
        let record = self.client.run(run).await.expect("it answers").expect("it is there");
        let mut story = self.story().await;
        assert_nothing_begins_after_its_end(&story);
        story.retain(|line| !line.ends_with(" begins"));
        // Of each workflow in order: parents and children are not in step.
        story.sort_by(|one, other| workflow(one).cmp(workflow(other)));
        if UNORDERED.contains(&operation) {
            story.sort();
        }
        let payments = self.count("SELECT count(*) FROM payments").await;
        let events = self.rows("events").await;
        for table in ["ready", "timers", "waits", "inbox", "slots"] {
            assert_eq!(self.rows(table).await, 0, "something is left in `{table}`");
        }
        for table in ["story", "payments"] {
            let empty = format!("DELETE FROM {table}");
            self.wire.ledger().execute(empty).await.expect("it is emptied");
        }
        Outcome { end: end(&record), story, payments, events }
    }
}

/// The workflow that a line of the story is about.
fn workflow(line: &str) -> &str {
    line.split(' ').next().expect("a line has words")
}

/// What a run gave, or why it gave nothing.
fn end(record: &RunRecord) -> String {
    match (&record.output, &record.error, &record.cancelled) {
        (Some(output), _, _) => output.as_str().trim_matches('"').to_owned(),
        (_, Some(error), _) => error.message.clone(),
        (_, _, Some(reason)) => reason.clone(),
        _ => panic!("it is not over: {record:?}"),
    }
}

/// A step's future begins again only if its outcome was not committed.
fn assert_nothing_begins_after_its_end(story: &[String]) {
    for (place, line) in story.iter().enumerate() {
        let Some(step) = line.strip_suffix(" begins") else { continue };
        let end = format!(": {step} succeeded");
        let ends = |lines: &[String]| lines.iter().any(|line| line.ends_with(&end));
        assert!(
            !ends(&story[..place]) || ends(&story[place..]),
            "`{step}` began again after its end: {story:#?}"
        );
    }
}

/// Does to a run what its operation needs somebody for, once its story has come so far.
struct Actor {
    run: RunId,
    order: u32,
    cue: Option<(&'static str, Deed)>,
}

#[derive(Clone, Copy)]
enum Deed {
    Pay,
    Cancel,
}

impl Actor {
    fn of(operation: &str, run: RunId, order: u32) -> Self {
        let cue = match operation {
            "abandons" => Some(("cancels 0: rest sleeping", Deed::Pay)),
            "waits" => Some(("waits 0: paid waiting", Deed::Pay)),
            "cancels" => Some(("cancels 0: rest sleeping", Deed::Cancel)),
            _ => None,
        };
        Self { run, order, cue }
    }

    async fn act(&mut self, scene: &Scene) {
        let Some((line, deed)) = self.cue else { return };
        if scene.wire.times(line).await == 0 {
            return;
        }
        self.cue = None;
        match deed {
            Deed::Pay => {
                scene.client.send(Paid { order: self.order }).await.expect("it is accepted");
            }
            Deed::Cancel => {
                scene.client.cancel(self.run, "enough").await.expect("it can be asked");
            }
        }
    }
}

/// Where a process is killed: everywhere in a story.
fn points(story: &[String]) -> Vec<Point> {
    let mut points = Vec::new();
    for (place, line) in story.iter().enumerate() {
        let before = story[..place].iter().filter(|other| *other == line).count() as i64;
        let moments: &[_] = match line.ends_with(" begins") {
            true => &[Moment::Begun],
            false => &[Moment::Torn, Moment::Landed],
        };
        let point = |moment| Point { line: line.clone(), before, moment };
        points.extend(moments.iter().copied().map(point));
    }
    points
}

async fn kills_change_nothing(database: Fresh, operation: &str) {
    let mut scene = Scene::on(database).await;
    let mut process = scene.worker("before");
    let run = start(&scene.client, operation, 0).await;
    scene.comes_to(None, &mut Actor::of(operation, run, 0), &mut process).await;
    process.kill();
    let points = points(&scene.story().await);
    let undisturbed = scene.outcome(operation, run).await;
    let (_, expected) =
        ENDS.iter().find(|(name, _)| *name == operation).expect("it is one of them");
    assert_eq!(undisturbed.end, *expected);

    let run = start(&scene.client, operation, 2).await;
    let mut actor = Actor::of(operation, run, 2);
    let mut versions = ["before", "after"].into_iter().cycle();
    let mut version = || versions.next().expect("there is always another");
    for mut point in points {
        let times = scene.wire.times(&point.line).await;
        match point.moment {
            // It begins again after each kill.
            Moment::Begun => point.before = times,
            // It was in the same commit as a line before it.
            Moment::Torn | Moment::Landed if times > point.before => continue,
            Moment::Torn | Moment::Landed => {}
        }
        scene.wire.stretch(&point).await;
        let mut process = scene.worker(version());
        let comes = scene.comes_to(Some(&point), &mut actor, &mut process).await;
        if !comes {
            let is_late = point.moment == Moment::Begun && BRANCHED.contains(&operation);
            assert!(is_late, "it is over before {point:?}: {:#?}", scene.story().await);
            break;
        }
        scene.wire.kill(&mut process, &point).await;
    }
    let mut process = scene.worker(version());
    scene.comes_to(None, &mut actor, &mut process).await;
    let events = undisturbed.events;
    let disturbed = scene.outcome(operation, run).await;
    assert_eq!(disturbed, Outcome { events: 2 * events, ..undisturbed });
    nothing_left_behind(&Tables::of(scene.wire.database())).await;
}

/// Every operation several times, in a process of each version.
async fn two_versions_share_the_work(database: Fresh) {
    const RUNS: u32 = 4;
    let scene = Scene::on(database).await;
    let mut processes = [scene.worker("before"), scene.worker("after")];
    let mut runs = Vec::new();
    // Somebody has to be there for the others.
    let alone =
        ENDS.iter().filter(|(operation, _)| Actor::of(operation, RunId::new(), 0).cue.is_none());
    for (operation, expected) in alone {
        for order in 0..RUNS {
            runs.push((start(&scene.client, operation, 2 * order).await, *expected));
        }
    }
    let [one, other] = &mut processes;
    let mut nobody = Actor { run: RunId::new(), order: 0, cue: None };
    scene.comes_to(None, &mut nobody, one).await;
    assert!(other.ended().is_none(), "the other process went down by itself");
    for (run, expected) in runs {
        let record = scene.client.run(run).await.expect("it answers").expect("it is there");
        assert_eq!(end(&record), expected, "{record:?}");
    }
    let story = scene.story().await;
    // What one has on record is why the others need no second attempt.
    let is_fixed = |line: &&String| !line.ends_with(" begins") && !line.ends_with(" retrying");
    for line in story.iter().filter(is_fixed) {
        let times = story.iter().filter(|other| *other == line).count();
        assert_eq!(times % RUNS as usize, 0, "not the same for each run: `{line}`");
    }
    assert_eq!(scene.count("SELECT count(*) FROM payments").await, i64::from(RUNS));
    nothing_left_behind(&Tables::of(scene.wire.database())).await;
}
