//! An app whose runs stand wherever a run can stand when its database is moved to another server.

use std::future::pending;
use std::sync::{Arc, Mutex};

use indelible::prelude::*;

/// Opens a door.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "moves/opened")]
pub struct Opened {
    /// Which door.
    pub door: u32,
    /// How often it was opened before, or which guest it is for.
    pub time: u32,
}

/// Starts a run.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "moves/knocked")]
pub struct Knocked {
    /// At which door.
    pub door: u32,
}

/// What the steps of one process do.
#[derive(Clone, Default)]
pub struct House {
    is_old: bool,
    begun: Arc<Mutex<Vec<String>>>,
}

impl House {
    /// Where runs are stopped on their way: its steps print that they begin, and some never end.
    pub fn old() -> Self {
        Self { is_old: true, ..Self::default() }
    }

    /// Where every step ends.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps that have begun, in order of name.
    ///
    /// # Panics
    ///
    /// When a step has.
    pub fn begun(&self) -> Vec<String> {
        let mut begun = self.begun.lock().expect("no step panics").clone();
        begun.sort();
        begun
    }

    async fn note(&self, step: String) -> Result<(), Failure> {
        if self.is_old {
            println!("{step}");
        }
        self.begun.lock().expect("no step panics").push(step);
        Ok(())
    }

    async fn stay(&self, step: String) -> Result<(), Failure> {
        self.note(step).await?;
        if self.is_old {
            pending::<()>().await;
        }
        Ok(())
    }
}

/// Waits for the same event twice.
#[workflow(input)]
pub async fn wait_twice(door: u32, step: Step) -> Result<Vec<u32>, Failure> {
    let first = step.wait_for_event::<Opened>("first").matching(door = door).await;
    let second = step.wait_for_event::<Opened>("second").matching(door = door).await;
    Ok([first, second].into_iter().flatten().map(|opened| opened.data.time).collect())
}

/// Waits twice, the second time for what comes from then on.
#[workflow(input)]
pub async fn wait_from_now(door: u32, step: Step) -> Result<Vec<u32>, Failure> {
    let first = step.wait_for_event::<Opened>("first").matching(door = door).await;
    let second = step.wait_for_event::<Opened>("second").matching(door = door).from_now().await;
    Ok([first, second].into_iter().flatten().map(|opened| opened.data.time).collect())
}

/// Waits in a loop.
#[workflow(input)]
pub async fn wait_in_a_loop(door: u32, step: Step) -> Result<Vec<u32>, Failure> {
    let mut times = Vec::new();
    while times.len() < 4 {
        let opened = step.wait_for_event::<Opened>("next").matching(door = door).await;
        times.extend(opened.map(|opened| opened.data.time));
    }
    Ok(times)
}

/// Waits for what is sent to it when no worker is there.
#[workflow(input)]
pub async fn wait_once(door: u32, step: Step) -> Result<u32, Failure> {
    let opened = step.wait_for_event::<Opened>("opened").matching(door = door).await;
    Ok(opened.map_or(0, |opened| opened.data.time))
}

/// Has another wait.
#[workflow(input)]
pub async fn delegate(door: u32, step: Step) -> Result<u32, Failure> {
    Ok(step.invoke("child", wait_once, door).await?)
}

/// Three steps; the second one is where the process is stopped.
#[workflow(input)]
pub async fn walk(door: u32, step: Step, Resource(house): Resource<House>) -> Result<u32, Failure> {
    step.run("first", house.note("walk: first".to_owned())).await?;
    step.run("second", house.stay("walk: second".to_owned())).await?;
    step.run("third", house.note("walk: third".to_owned())).await?;
    Ok(door)
}

/// Sleeps for so many seconds between two steps.
#[workflow(input)]
pub async fn sleep(
    seconds: u64,
    step: Step,
    Resource(house): Resource<House>,
) -> Result<u64, Failure> {
    step.run("lie-down", house.note(format!("sleep {seconds}: lie-down"))).await?;
    step.sleep("night", std::time::Duration::from_secs(seconds)).await;
    step.run("get-up", house.note(format!("sleep {seconds}: get-up"))).await?;
    Ok(seconds)
}

/// A single step.
#[workflow(input)]
pub async fn look(door: u32, step: Step, Resource(house): Resource<House>) -> Result<u32, Failure> {
    step.run("look", house.note(format!("look {door}"))).await?;
    Ok(door)
}

/// Is started by an event.
#[workflow]
pub async fn open(
    event: Knocked,
    step: Step,
    Resource(house): Resource<House>,
) -> Result<u32, Failure> {
    step.run("open", house.note(format!("open {}", event.door))).await?;
    Ok(event.door)
}

indelible::app! {
    pub Moves = "moves";
    events: [Opened, Knocked],
    workflows: [
        wait_twice, wait_from_now, wait_in_a_loop, wait_once, delegate, walk, sleep, look, open,
    ],
}
