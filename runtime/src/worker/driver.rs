use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{error, warn};

use super::Env;
use super::clock::DatabaseClock;
use super::committer::{Commitment, Committer};
use super::inbox::{Inbox, Inboxes};
use super::log::{News, Quiet, taken_up};
use super::pauses::Paused;
use super::quarantine::{Caution, Trial};
use super::transactions::Transactions;
use super::watchdog::Watched;
use crate::journal::{End, ErrorKind, ErrorRecord, Message, RunCommit, RunId, StateKey, Then};
use crate::machine::{Machine, Turn};
use crate::panic;
use crate::program::Program;
use crate::step::Open;
use crate::store::ClaimedRun;
use crate::workflow::TriggerData;

/// A run whose next timer is no further away than this is kept in memory. One that waits longer parks,
/// and the log says so.
const KEPT: SignedDuration = SignedDuration::from_secs(2);

/// What a run is driven with.
#[derive(Clone)]
pub(crate) struct Driver {
    pub(crate) env: Arc<Env>,
    pub(crate) clock: Arc<DatabaseClock>,
    pub(crate) committer: Committer,
    pub(crate) transactions: Transactions,
    pub(crate) inboxes: Arc<Inboxes>,
    pub(crate) paused: Paused,
    /// Where bodies do again what they did.
    pub(crate) quiet: Arc<Quiet>,
}

impl Driver {
    /// Commits what of a run is about to begin; `false` if it is not this worker's any more.
    async fn announce(&self, run: RunId, what: String) -> bool {
        let about = RunCommit { beginning: Some(what), ..RunCommit::of(run, Then::Continue) };
        matches!(self.committer.submit(about).await, Ok(Commitment::Committed(_)))
    }

    /// Makes a commit, as the last statement of a transaction if there is one; `None` if the lease is lost before that is done.
    fn commit(
        &self,
        commit: RunCommit,
        transaction: Option<Open>,
    ) -> BoxFuture<'static, Option<Commitment>> {
        match transaction {
            None => self.committer.submit(commit).map(Result::ok).boxed(),
            Some(open) => {
                let open = open.take().expect("a transaction is handed in once");
                self.transactions.clone().commit(open, commit).boxed()
            }
        }
    }
}

/// Drives one run until it ends, parks, is held, or is no longer this worker's.
pub(crate) async fn drive(driver: Driver, claimed: ClaimedRun, inbox: Inbox, trial: Option<Trial>) {
    let Some(definition) = driver.env.program.workflow(&claimed.workflow) else {
        // The claim names the workflows that this program has.
        error!("a run was claimed that this program cannot drive");
        return;
    };
    let of = Of::claimed(&driver.env.program, &claimed);
    let run = of.trigger.run;
    if let Some(reason) = &claimed.unreadable {
        let last = unreadable(&claimed, reason, !definition.undos.is_empty());
        return let_go(&driver, &of, last).await;
    }
    taken_up(claimed.is_new);
    let caution = Caution::towards(claimed.standing);
    if caution == Caution::Hesitate && !driver.announce(run, "its body".to_owned()).await {
        return;
    }
    let mut machine = Machine::new(
        definition,
        driver.env.resources.clone(),
        driver.env.program.limits,
        claimed.origin,
    );
    if caution == Caution::Hesitate {
        machine.hesitate();
    }
    if caution == Caution::GiveUp {
        let error = crash_loop(claimed.standing.take_overs, claimed.suspected.as_deref());
        let left = error.message.clone();
        let cancelled = claimed.inbox.iter().find_map(Message::cancellation).map(str::to_owned);
        machine.give_up(cancelled.map_or(End::Failed(error), End::Cancelled), &left);
    }
    claimed.inbox.into_iter().for_each(|message| machine.receive(message));
    let watched = driver.env.polls.watch(run, &of.workflow, machine.in_progress());
    let hesitates = caution == Caution::Hesitate;
    let mut drive = Drive {
        driver,
        of,
        machine,
        inbox,
        commit: None,
        news: Vec::new(),
        hesitates,
        trial,
        watched,
    };
    let last = drive.until_rest().await;
    drive.settle(last).await;
}

/// Waits until the process is asked to stop, or the workflow is paused: then a run begins no further
/// step and leaves the worker.
async fn asked_to_rest(env: &Env, paused: &mut Paused, workflow: &str) {
    let pausing = async {
        if paused.wait_for(|paused| paused.contains(workflow)).await.is_err() {
            // Who follows the pauses ends with this life.
            pending::<()>().await;
        }
    };
    tokio::select! {
        () = env.stopping.cancelled() => {}
        () = pausing => {}
    }
}

/// What becomes of a run with the last commit of a worker.
struct Last {
    then: Then,
    news: Option<News>,
}

impl Last {
    fn end(end: End) -> Self {
        let then = Then::End(end);
        Self { news: News::of_end(&then), then }
    }
}

/// What becomes of a run of which no machine can be made.
fn unreadable(claimed: &ClaimedRun, reason: &str, may_undo: bool) -> Last {
    match claimed.inbox.iter().find_map(Message::cancellation) {
        Some(asked) if may_undo => {
            let message = format!(
                "the run was cancelled: {asked}; what it did is not undone, as what is stored of it \
                 cannot be read: {reason}"
            );
            Last::end(End::Failed(ErrorRecord::new(ErrorKind::Cancelled, message)))
        }
        Some(asked) => Last::end(End::Cancelled(asked.to_owned())),
        None => {
            let what = format!("what is stored of it cannot be read: {reason}");
            let news = Some(News::Held { step: None, reason: what });
            Last { then: Then::Hold(reason.to_owned()), news }
        }
    }
}

fn crash_loop(take_overs: u32, suspected: Option<&str>) -> ErrorRecord {
    let last = suspected.map_or_else(String::new, |steps| {
        format!(" When the last worker went down, these had begun: {steps}.")
    });
    let message = format!(
        "{take_overs} workers in a row went down while they drove this run, and none of its steps ended \
         in between.{last} Find out what takes the process down or blocks it, and then retry the run"
    );
    ErrorRecord::new(ErrorKind::CrashLoop, message)
}

/// The steps by their keys, for a message.
fn named(steps: &[StateKey]) -> String {
    const SHOWN: usize = 5;
    let shown = steps.iter().take(SHOWN).map(|step| format!("the step `{step}`"));
    let more = steps.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("{more} more steps"));
    shown.chain(more).collect::<Vec<_>>().join(", ")
}

/// One run being driven.
struct Drive {
    driver: Driver,
    of: Of,
    machine: Machine,
    inbox: Inbox,
    /// The commit under way, if there is one.
    commit: Option<BoxFuture<'static, Option<Commitment>>>,
    /// What there is to tell once it is made.
    news: Vec<News>,
    /// Whether it is to be said what begins before it does, as a worker went down with the run.
    hesitates: bool,
    /// Of a suspect, until it gets on.
    trial: Option<Trial>,
    watched: Watched,
}

impl Drive {
    /// Polls the machine until it comes to rest, and says what the run's last commit by this worker
    /// is to be; `None` if there is none to make.
    async fn until_rest(&mut self) -> Option<Last> {
        let env = self.driver.env.clone();
        let mut draining = false;
        let mut paused = self.driver.paused.clone();
        let workflow = self.of.workflow.clone();
        let mut timer = pin!(sleep_until(Instant::now()));
        loop {
            let clock = &self.driver.clock;
            let machine = &mut self.machine;
            let commit = &mut self.commit;
            let (watched, quiet) = (&self.watched, &self.driver.quiet);
            let turn = tokio::select! {
                commitment = async { commit.as_mut().expect("checked").await }, if commit.is_some() => {
                    self.commit = None;
                    match commitment {
                        Some(Commitment::Committed(at)) => self.committed(at),
                        Some(Commitment::RolledBack(rollback)) => machine.rolled_back(rollback),
                        Some(Commitment::Evicted) => {
                            warn!("another worker has taken the run over");
                            return None;
                        }
                        Some(Commitment::Refused(reason)) => {
                            self.news.clear();
                            let error = refused(&reason);
                            if !self.machine.refused(error.clone()) {
                                return Some(Last::end(End::Failed(error)));
                            }
                        }
                        // The lease is lost; so is the run.
                        None => return None,
                    }
                    continue;
                }
                message = self.inbox.next() => {
                    machine.receive(message);
                    continue;
                }
                () = asked_to_rest(&env, &mut paused, &workflow), if !draining => {
                    draining = true;
                    machine.drain();
                    continue;
                }
                turn = poll_fn(|cx| {
                    watched.poll(|| poll(machine, quiet, clock, timer.as_mut(), cx))
                }) => turn,
            };
            match turn {
                Turn::Commit(commit) => self.commit(*commit, None),
                Turn::Conclude(commit, open) => self.commit(*commit, Some(open)),
                Turn::Idle { until } => {
                    let clock = &self.driver.clock;
                    let wait = until.map(|until| until.duration_since(clock.now()));
                    let kept = wait.is_some_and(|wait| wait <= KEPT);
                    if draining || !kept {
                        let news = Some(News::of_parking(&self.machine, until));
                        return Some(Last { then: Then::Park(until), news });
                    }
                    tokio::select! {
                        () = sleep_until(clock.instant_of(until.unwrap_or(Timestamp::MAX))) => {}
                        message = self.inbox.next() => self.machine.receive(message),
                        () = asked_to_rest(&env, &mut paused, &workflow) => {}
                    }
                }
                Turn::Drained if self.hesitates && !draining => {
                    let steps = self.machine.about_to_begin();
                    if !self.driver.announce(self.of.trigger.run, named(&steps)).await {
                        return None;
                    }
                    self.hesitates = false;
                    self.machine.go_ahead();
                }
                Turn::Drained => return Some(Last { then: Then::Release, news: None }),
                Turn::Ended => return None,
                Turn::Held(fault) => {
                    let news = Some(News::of_fault(&fault));
                    return Some(Last { then: Then::Hold(fault.to_string()), news });
                }
            }
        }
    }

    /// Begins a commit that the machine asks for. There is something to tell once it is made.
    fn commit(&mut self, commit: RunCommit, transaction: Option<Open>) {
        self.news = commit.entries.iter().filter_map(News::of_entry).collect();
        self.news.extend(News::of_end(&commit.then));
        let commit = self.of.told(&self.driver.env.program, commit);
        self.commit = Some(self.driver.commit(commit, transaction));
    }

    /// Makes the run's last commit by this worker.
    async fn settle(self, last: Option<Last>) {
        let Some(last) = last else { return };
        // The machine goes first: nothing of it may run on once the run is another's.
        let Self { driver, of, machine, inbox: _inbox, .. } = self;
        let _ = panic::catch(|| drop(machine));
        let_go(&driver, &of, last).await;
    }

    fn committed(&mut self, at: Timestamp) {
        self.news.drain(..).for_each(|news| news.tell(at));
        let before = self.machine.rows();
        self.machine.committed(at);
        let rows = self.machine.rows();
        if rows > before {
            self.trial = None;
            if std::mem::take(&mut self.hesitates) {
                self.machine.go_ahead();
            }
        }
        let limit = self.driver.env.program.limits.rows;
        if (before + 1..=rows).contains(&(limit / 5)) {
            warn!(
                rows,
                limit,
                "the run's journal grows long, and at the limit the run fails; if the run is in a long \
                 loop, carry the loop's variables with `#[carried(..)]`"
            );
        }
    }
}

/// The database does not accept what a step gave: the run fails visibly.
fn refused(reason: &str) -> ErrorRecord {
    let message = format!("the database refused to store what a step gave: {reason}");
    ErrorRecord::new(ErrorKind::Unstorable, message.replace('\0', "\u{fffd}"))
}

/// Whose commits they are.
struct Of {
    workflow: String,
    trigger: TriggerData,
    /// Whether a system event has set the run off, so that its end makes none.
    silent: bool,
}

impl Of {
    fn claimed(program: &Program, claimed: &ClaimedRun) -> Self {
        Self {
            workflow: claimed.workflow.clone(),
            trigger: claimed.origin.trigger.clone(),
            silent: claimed.silent || program.is_silent(&claimed.workflow),
        }
    }

    /// A commit with what its end sets off, if it has one: handlers and system events.
    fn told(&self, program: &Program, commit: RunCommit) -> RunCommit {
        let Self { workflow, trigger, silent } = self;
        let commit = RunCommit { silent: *silent, ..commit };
        let Then::End(end) = &commit.then else { return commit };
        let handlers = program.handlers(workflow, trigger, end);
        let report = if *silent { None } else { program.report(workflow, trigger, end) };
        RunCommit { handlers, events: report.into_iter().collect(), ..commit }
    }
}

/// Makes a run's last commit by this worker.
async fn let_go(driver: &Driver, of: &Of, last: Last) {
    let Last { then, news } = last;
    let commit = of.told(&driver.env.program, RunCommit::of(of.trigger.run, then));
    match driver.committer.submit(commit).await {
        Ok(Commitment::Committed(at)) => news.into_iter().for_each(|news| news.tell(at)),
        Ok(Commitment::Refused(reason)) => {
            error!(
                reason,
                "the database refused the run's last commit, so the run stays with this worker"
            );
        }
        _ => {}
    }
}

/// Polls a machine, again whenever a timer of its own is due: a poll may set another one.
fn poll(
    machine: &mut Machine,
    quiet: &Quiet,
    clock: &DatabaseClock,
    mut timer: Pin<&mut Sleep>,
    cx: &mut Context<'_>,
) -> Poll<Turn> {
    if machine.is_behind() {
        quiet.during(|| machine.catch_up(clock.now(), cx));
    }
    loop {
        if let Poll::Ready(turn) = machine.poll(clock.now(), cx) {
            return Poll::Ready(turn);
        }
        let Some(due) = machine.next_due() else { return Poll::Pending };
        timer.as_mut().reset(clock.instant_of(due));
        ready!(timer.as_mut().poll(cx));
    }
}
