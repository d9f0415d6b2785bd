//! The body of all runs: it does what its input says.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use super::lab::Lab;
use super::plan::{Failing, IDS, Node, Scenario, Steadiness, Work};
use super::random::mix;
use super::work::{attempt, helper, panic, take_back, transacted};
use super::workflow::{Interpreted, Signal, Steady};
use crate::__private::{durable, join, race, try_join};
use crate::journal::RunId;
use crate::step::{BoxError, Failure, Race2, Race3, Run, Step, Tx};
use crate::workflow::{Called, State};

/// A state by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nth(usize);

pub(super) static NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| (0..IDS).map(|nth| &*format!("s{nth}").leak()).collect());

impl State for Nth {
    const ALL: &'static [Self] = &[];
    type Of<T> = T;

    fn id(self) -> &'static str {
        NAMES[self.0]
    }
}

/// Does what a run is asked to.
pub(super) async fn interpret(
    step: Step,
    run: RunId,
    scenario: &Scenario,
    lab: Arc<Lab>,
) -> Result<u64, Failure> {
    match (Interpreter { step, run, scenario, lab }).top(&scenario.plan).await {
        Ok(seen) | Err(Early::Return(seen)) => Ok(seen),
        Err(Early::Fail(failure)) => Err(failure),
    }
}

/// Why a body does not go on.
enum Early {
    Return(u64),
    Fail(Failure),
}

impl<E: Into<Failure>> From<E> for Early {
    fn from(error: E) -> Self {
        Self::Fail(error.into())
    }
}

type Going<'a> = Pin<Box<dyn Future<Output = Result<u64, Early>> + Send + 'a>>;

struct Interpreter<'s> {
    step: Step,
    run: RunId,
    scenario: &'s Scenario,
    lab: Arc<Lab>,
}

impl Interpreter<'_> {
    /// The body itself. What it has seen so far goes into all that it does later, so that whatever
    /// differs once differs in the end.
    async fn top(&self, plan: &[Node]) -> Result<u64, Early> {
        let mut seen = 0;
        for node in plan {
            seen = match node {
                Node::Carried { id, times, body } => self.carried(*id, *times, body, seen).await?,
                Node::Restart { plan } => {
                    let next = Scenario { plan: plan.clone(), ..self.scenario.clone() };
                    let restarted = self.step.restart::<Steady, ()>(next);
                    return Err(Early::Fail(restarted.expect_err("it ends the body")));
                }
                node => self.one(node, seen).await?,
            };
        }
        Ok(seen)
    }

    async fn carried(&self, id: usize, times: u64, body: &[Node], seen: u64) -> Result<u64, Early> {
        let (mut nth, mut seen) = (0, seen);
        loop {
            (nth, seen) = durable(self.step.carried(Nth(id), (nth, seen))).await;
            if nth == times {
                return Ok(seen);
            }
            nth += 1;
            seen = self.all(body, seen).await?;
        }
    }

    fn all<'a>(&'a self, plan: &'a [Node], mut seen: u64) -> Going<'a> {
        Box::pin(async move {
            for node in plan {
                seen = self.one(node, seen).await?;
            }
            Ok(seen)
        })
    }

    /// A branch of a join or a race: it ends for itself alone.
    fn branch<'a>(&'a self, plan: &'a [Node], seen: u64) -> Going<'a> {
        Box::pin(async move {
            match self.all(plan, seen).await {
                Err(Early::Return(seen)) => Ok(seen),
                other => other,
            }
        })
    }

    async fn one(&self, node: &Node, seen: u64) -> Result<u64, Early> {
        let step = &self.step;
        Ok(match node {
            Node::Run { id, work, fatal } => match durable(self.work(*id, work, None)).await {
                Ok(value) => mix(seen, value),
                Err(error) if *fatal => return Err(error.into()),
                Err(error) => mix(seen, hash(&error.to_string())),
            },
            Node::Transact { id, work, fatal } => {
                match durable(self.transaction(*id, work)).await {
                    Ok(value) => mix(seen, value),
                    Err(error) if *fatal => return Err(error.into()),
                    Err(error) => mix(seen, hash(&error.to_string())),
                }
            }
            Node::Sleep { id, seconds } => {
                durable(step.sleep(Nth(*id), Duration::from_secs(*seconds))).await;
                mix(seen, 1)
            }
            Node::Wait { id, no, at_least, timeout, from_now } => {
                let mut wait = step
                    .wait_for_event::<Signal>(Nth(*id))
                    .on_field(|fields| fields.no)
                    .equals(*no);
                if *from_now {
                    wait = wait.from_now();
                }
                if let Some(seconds) = timeout {
                    wait = wait.timeout(Duration::from_secs(*seconds));
                }
                if let Some(least) = *at_least {
                    wait = wait.filter(move |signal| signal.value >= least);
                }
                match durable(wait).await {
                    Some(signal) => {
                        let id = signal.id.as_uuid().as_u64_pair();
                        mix(mix(seen, signal.data.value), mix(id.0, id.1))
                    }
                    None => mix(seen, 2),
                }
            }
            Node::Invoke { id, bounds, plan, timeout, detached, fatal, undo } => {
                let (bounds, plan) = (*bounds, plan.clone());
                let scenario = Scenario { bounds, plan, ..self.scenario.clone() };
                let mut child = match scenario.steadiness {
                    Steadiness::Exact => {
                        step.invoke(Nth(*id), Called::<Interpreted<true>>::of, scenario)
                    }
                    Steadiness::Rules => {
                        step.invoke(Nth(*id), Called::<Interpreted<false>>::of, scenario)
                    }
                };
                if let Some(seconds) = timeout {
                    child = child.timeout(Duration::from_secs(*seconds));
                }
                if *detached {
                    child = child.detached();
                }
                if *undo {
                    child = child.undo(take_back(self.run));
                }
                match durable(child).await {
                    Ok(value) => mix(seen, value),
                    Err(error) if *fatal => return Err(error.into()),
                    Err(error) => mix(seen, hash(&error.to_string())),
                }
            }
            Node::Send { id, no, values } => {
                let signals = values.iter().map(|value| Signal { no: *no, value: *value });
                let ids = durable(step.send_events(Nth(*id), signals)).await?;
                let distinct: HashSet<_> = ids.iter().collect();
                assert_eq!(distinct.len(), values.len(), "each event has an id of its own");
                ids.iter().fold(seen, |seen, id| mix(seen, id.as_uuid().as_u64_pair().1))
            }
            Node::Derive { id } => {
                let now = step.now().as_microsecond().unsigned_abs();
                let uuid = step.uuid(Nth(*id)).as_u64_pair();
                let random = step.random(Nth(*id)).to_bits();
                [now, uuid.0, uuid.1, random].into_iter().fold(seen, mix)
            }
            Node::Branch { then, otherwise } => {
                self.all(if seen.is_multiple_of(2) { then } else { otherwise }, seen).await?
            }
            Node::Loop { times, body } => {
                let mut seen = seen;
                for _ in 0..*times {
                    seen = self.all(body, seen).await?;
                }
                seen
            }
            Node::Join { branches } => {
                let results = match branches.as_slice() {
                    [a, b] => {
                        let (a, b) = join((self.branch(a, seen), self.branch(b, seen))).await;
                        vec![a, b]
                    }
                    [a, b, c] => {
                        let [a, b, c] = [a, b, c].map(|branch| self.branch(branch, seen));
                        let (a, b, c) = join((a, b, c)).await;
                        vec![a, b, c]
                    }
                    other => unreachable!("{} branches", other.len()),
                };
                results
                    .into_iter()
                    .try_fold(seen, |seen, value| Ok::<_, Early>(mix(seen, value?)))?
            }
            Node::TryJoin { branches } => {
                let results = match branches.as_slice() {
                    [a, b] => try_join((self.branch(a, seen), self.branch(b, seen)))
                        .await
                        .map(|(a, b)| vec![a, b]),
                    [a, b, c] => {
                        let [a, b, c] = [a, b, c].map(|branch| self.branch(branch, seen));
                        try_join((a, b, c)).await.map(|(a, b, c)| vec![a, b, c])
                    }
                    other => unreachable!("{} branches", other.len()),
                };
                match results {
                    Ok(values) => values.into_iter().fold(seen, mix),
                    Err(Early::Fail(failure)) => mix(seen, hash(&failure.to_string())),
                    Err(early) => return Err(early),
                }
            }
            Node::Race { branches } => {
                let (nth, won) = match branches.as_slice() {
                    [a, b] => match race((self.branch(a, seen), self.branch(b, seen))).await {
                        Race2::A(won) => (0, won),
                        Race2::B(won) => (1, won),
                    },
                    [a, b, c] => {
                        let [a, b, c] = [a, b, c].map(|branch| self.branch(branch, seen));
                        match race((a, b, c)).await {
                            Race3::A(won) => (0, won),
                            Race3::B(won) => (1, won),
                            Race3::C(won) => (2, won),
                        }
                    }
                    other => unreachable!("{} branches", other.len()),
                };
                mix(mix(seen, nth), won?)
            }
            Node::JoinAll { id, items, limit, work } => {
                let steps = (0..*items).map(|item| self.work(*id, work, Some(item)));
                let results = durable(step.join_all(steps).limit(*limit)).await;
                results.into_iter().fold(seen, |seen, result| match result {
                    Ok(value) => mix(seen, value),
                    Err(error) => mix(seen, hash(&error.to_string())),
                })
            }
            Node::Helper { id, body } => {
                let step = step.enter(&helper(*id));
                let (run, scenario, lab) = (self.run, self.scenario, self.lab.clone());
                Self { step, run, scenario, lab }.all(body, seen).await?
            }
            Node::Return if seen.is_multiple_of(3) => return Err(Early::Return(seen)),
            Node::Return => seen,
            Node::Fail { panic: false } => {
                return Err(Early::Fail(Failure::msg(format!("failed at {seen}"))));
            }
            Node::Fail { panic: true } => panic(format!("panicked at {seen}")),
            Node::Carried { .. } | Node::Restart { .. } => {
                unreachable!("they stand in the body itself")
            }
        })
    }

    fn work(&self, id: usize, work: &Work, item: Option<u64>) -> Run<'static, u64, BoxError> {
        // The key is claimed when the step is built.
        let key = Arc::new(OnceLock::new());
        let attempt = {
            let (key, lab, run, work) = (key.clone(), self.lab.clone(), self.run, work.clone());
            move || attempt(key.clone(), lab.clone(), run, work.clone())
        };
        let mut step = self.step.run(Nth(id), attempt).retries(work.retries as u32);
        if let Failing::Hang(seconds) = work.how {
            step = step.timeout(Duration::from_secs(seconds));
        }
        if work.undo {
            step = step.undo(take_back(self.run));
        }
        if let Some(item) = item {
            step = step.key(item);
        }
        key.get_or_init(|| step.state_key().clone());
        step
    }

    fn transaction(&self, id: usize, work: &Work) -> Run<'static, u64, BoxError> {
        let key = Arc::new(OnceLock::new());
        let closure = {
            let (key, lab, run, work) = (key.clone(), self.lab.clone(), self.run, work.clone());
            move |tx: Tx| transacted(tx, key.clone(), lab.clone(), run, work.clone())
        };
        let mut step = self.step.transaction(Nth(id), closure).retries(work.retries as u32);
        if work.undo {
            step = step.undo(take_back(self.run));
        }
        key.get_or_init(|| step.state_key().clone());
        step
    }
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0, |hash, byte| mix(hash, u64::from(byte)))
}
