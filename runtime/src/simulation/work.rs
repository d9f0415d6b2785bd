//! What the futures of steps do, and what takes that back.

use std::future::{pending, poll_fn};
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::Poll;
use std::time::Duration;

use super::body::NAMES;
use super::effects;
use super::lab::Lab;
use super::plan::{DEPTH, Failing, IDS, Work};
use super::random::Random;
use crate::journal::{RunId, StateKey};
use crate::step::{BoxError, Permanent, Resource, RetryAfter, Tx, Undo, UndoFn, UndoOf, Undoes};

/// One attempt of a step.
pub(super) async fn attempt(
    key: Arc<OnceLock<StateKey>>,
    lab: Arc<Lab>,
    run: RunId,
    work: Work,
) -> Result<u64, BoxError> {
    let key = key.get().expect("the step was built before it is polled");
    let failed = lab.begin(run, key);
    for _ in 0..work.polls {
        yield_once().await;
    }
    match failed < work.fails {
        true => Err(failure(work.how, failed).await),
        false => Ok(work.value),
    }
}

/// One attempt of a step's transaction.
pub(super) async fn transacted(
    mut tx: Tx,
    key: Arc<OnceLock<StateKey>>,
    lab: Arc<Lab>,
    run: RunId,
    work: Work,
) -> Result<u64, BoxError> {
    let _open = lab.transacts();
    let key = key.get().expect("the step was built before it is polled");
    let failed = lab.begin(run, key);
    let value = effects::leave(&mut tx, run, key, work.value).await?;
    for _ in 0..work.polls {
        yield_once().await;
    }
    match failed < work.fails {
        true => Err(failure(work.how, failed).await),
        false => Ok(value),
    }
}

/// The undo of all steps of a run.
pub(super) fn take_back(run: RunId) -> impl UndoFn<u64, (Resource<Lab>,)> {
    move |value: u64, Resource(lab): Resource<Lab>| taken_back(run, value, lab)
}

/// One attempt to undo a step: how it goes lies in what the step gave.
async fn taken_back(run: RunId, value: u64, lab: Arc<Lab>) -> Result<(), BoxError> {
    let failed = lab.undo(run, value);
    let random = &mut Random::new(value);
    let how = match random.below(20) {
        0 => Failing::Panic,
        1 => Failing::Permanent,
        2..8 => Failing::Later,
        _ => Failing::Error,
    };
    // The workflow's retries allow for four.
    let fails = if random.percent(30) { random.within(1..=6) } else { 0 };
    match failed < fails {
        true => Err(failure(how, failed).await),
        false => Ok(()),
    }
}

/// What undoes the steps of a body, in whatever helpers they stand.
pub(super) static UNDOS: LazyLock<&'static [Undo]> = LazyLock::new(|| {
    (0..=DEPTH).fold(&[], |within, _| {
        let of_step = |id| Undo::Step {
            id,
            requirements: Vec::new,
            begin: |context, output| UndoOf(take_back(context.trigger.run)).begin(context, output),
        };
        let of_helper = |nth| Undo::Helper { id: helper(nth).leak(), undos: within };
        let undos = NAMES.iter().map(|id| of_step(*id)).chain((0..IDS).map(of_helper));
        undos.collect::<Vec<_>>().leak()
    })
});

/// The name under which the steps of a helper are kept.
pub(super) fn helper(id: usize) -> String {
    format!("h{id}")
}

async fn failure(how: Failing, failed: u64) -> BoxError {
    let error = BoxError::from(format!("attempt {failed} failed"));
    match how {
        Failing::Error => error,
        Failing::Later => RetryAfter(error, Duration::from_secs(10)).into(),
        Failing::Permanent => Permanent(error).into(),
        Failing::Panic => panic(format!("attempt {failed} panicked")),
        Failing::Hang(_) => pending().await,
    }
}

/// Panics without the hook, whose thousands of backtraces would cost more than all cases.
pub(super) fn panic(message: String) -> ! {
    std::panic::resume_unwind(Box::new(message))
}

/// Is ready at the second poll, and asks for it.
async fn yield_once() {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
