use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::__private::{Branch, join, race};
use crate::journal::{ErrorKind, ErrorRecord};
use crate::step::{Connection, Database, Handle, Lending, Open, Race2, Rollback};

/// A database that only counts what begins.
struct Pretended {
    /// How long a transaction may take, where it keeps everybody else from writing.
    limit: Option<Duration>,
}

#[async_trait]
impl Database for Pretended {
    async fn begin(&self) -> Connection {
        EFFECTS.with_borrow_mut(|effects| effects.push("begin".to_owned()));
        Box::new(())
    }

    fn limit(&self) -> Option<Duration> {
        self.limit
    }

    fn conflicts(&self, error: &(dyn Error + 'static)) -> bool {
        error.is::<InTheWay>()
    }
}

/// Another transaction was in the way.
#[derive(Debug, thiserror::Error)]
#[error("another was in the way")]
struct InTheWay;

/// An error of the user's own.
#[derive(Debug, thiserror::Error)]
#[error("it is not paid")]
struct Unpaid(#[source] InTheWay);

/// A transaction, in its closure.
struct Tx {
    _lending: Lending,
}

impl Handle for Tx {
    fn of(transaction: Lending) -> Self {
        Self { _lending: transaction }
    }
}

fn bench(begin: Begin, limit: Option<Duration>) -> Bench {
    close_all();
    effects();
    let mut resources = Resources::default();
    resources.transact_in(Arc::new(Pretended { limit }));
    Bench::lent(begin, resources)
}

const ONE_WRITER: Option<Duration> = Some(Duration::from_secs(2));

/// What a turn asks to be committed.
fn commit(turn: Poll<Turn>) -> Box<RunCommit> {
    match turn {
        Poll::Ready(Turn::Commit(commit)) => commit,
        turn => conclude(turn).0,
    }
}

/// What a turn asks to be committed with a transaction.
fn conclude(turn: Poll<Turn>) -> (Box<RunCommit>, Open) {
    match turn {
        Poll::Ready(Turn::Conclude(commit, open)) => (commit, open),
        turn => panic!("nothing is to be committed: {turn:?}"),
    }
}

fn keys(commit: &RunCommit) -> Vec<&str> {
    commit.entries.iter().map(|entry| entry.key.as_str()).collect()
}

fn error(message: &str) -> ErrorRecord {
    ErrorRecord::new(ErrorKind::Error, message)
}

fn pay_then_ship() -> Begin {
    workflow!(async |step| {
        durable(step.transaction(At("pay"), async |tx: Tx| {
            let paid = effect("pay", 7).await;
            drop(tx);
            paid
        }))
        .await?;
        durable(step.run(At("ship"), || effect("ship", 8))).await.map_err(Failure::from)
    })
}

#[test]
fn an_outcome_is_committed_with_its_transaction_and_nothing_else() {
    let mut bench = bench(pay_then_ship(), None);
    let (pay, open) = conclude(bench.poll());
    assert_eq!(keys(&pay), ["pay"]);
    assert_eq!(open.take(), Some(()), "its closure has given it back");
    assert_eq!(effects(), ["begin", "pay"]);
    // Nothing goes on before the commit.
    assert_eq!(bench.poll(), Poll::Pending);
    assert_eq!(effects(), Vec::<String>::new());
    bench.machine.committed(bench.clock);
    assert_eq!(keys(&commit(bench.poll())), ["ship"]);
}

#[test]
fn a_resumed_run_does_not_run_a_committed_transaction_again() {
    let mut whole = bench(pay_then_ship(), None);
    assert_eq!(whole.finish(), completed("8"));
    effects();
    let mut resumed = Bench::resumed(pay_then_ship(), whole.journal[..1].to_vec());
    assert_eq!(resumed.finish(), completed("8"));
    assert_eq!(effects(), ["ship"]);
}

#[test]
fn a_conflict_at_the_commit_runs_the_transaction_again_at_once() {
    let mut bench = bench(pay_then_ship(), None);
    commit(bench.poll());
    bench.machine.rolled_back(Rollback::Undeserved(error("another was in the way")));
    let again = commit(bench.poll());
    assert_eq!(effects(), ["begin", "pay", "begin", "pay"]);
    // It is still the first attempt.
    let Change::Succeed { attempt: 1, .. } = again.entries[0].change else { panic!("{again:?}") };
    assert_eq!(again.first_seq, 0);
}

#[test]
fn a_conflict_within_the_closure_runs_the_transaction_again_at_once() {
    let pay = workflow!(async |step| {
        let mut attempts = 0;
        durable(step.transaction(At("pay"), |_tx: Tx| {
            attempts += 1;
            let is_last = attempts == 3;
            async move {
                effect("pay", ()).await?;
                if is_last { Ok(7) } else { Err(Failure::from(Unpaid(InTheWay))) }
            }
        }))
        .await
        .map_err(Failure::from)
    });
    let mut bench = bench(pay, None);
    let paid = commit(bench.poll());
    assert_eq!(effects(), ["begin", "pay", "begin", "pay", "begin", "pay"]);
    let Change::Succeed { attempt: 1, .. } = paid.entries[0].change else { panic!("{paid:?}") };
}

#[test]
fn a_conflict_that_does_not_end_becomes_a_failed_attempt() {
    let mut bench = bench(pay_then_ship(), None);
    for _ in 0..=10 {
        conclude(bench.poll());
        bench.machine.rolled_back(Rollback::Undeserved(error("another was in the way")));
    }
    let Poll::Ready(Turn::Commit(failed)) = bench.poll() else { panic!("no commit of its own") };
    let Change::Retry { attempt: 1, error, .. } = &failed.entries[0].change else {
        panic!("{failed:?}")
    };
    assert_eq!(error.message, "another was in the way");
}

#[test]
fn a_refused_commit_is_a_failed_attempt() {
    let mut bench = bench(pay_then_ship(), None);
    commit(bench.poll());
    bench.machine.rolled_back(Rollback::Deserved(error("there is no such customer")));
    let failed = commit(bench.poll());
    let Change::Retry { attempt: 1, error, .. } = &failed.entries[0].change else {
        panic!("{failed:?}")
    };
    assert_eq!(error.message, "there is no such customer");
}

#[test]
fn a_transaction_that_was_ended_within_its_closure_fails_for_good() {
    let mut bench = bench(pay_then_ship(), None);
    commit(bench.poll());
    let record = ErrorRecord::new(ErrorKind::Permanent, "it was committed within its closure");
    bench.machine.rolled_back(Rollback::Deserved(record));
    let failed = commit(bench.poll());
    assert!(matches!(failed.entries[0].change, Change::Fail { attempt: 1, .. }), "{failed:?}");
}

#[test]
fn a_transaction_that_outlives_its_closure_fails_for_good() {
    let keeper = workflow!(async |step| {
        let kept = std::sync::Mutex::new(None);
        durable(step.transaction(At("keep"), async |tx: Tx| {
            *kept.lock().expect("it is not poisoned") = Some(tx);
            effect("keep", ()).await
        }))
        .await
        .map_err(Failure::from)
    });
    let End::Failed(error) = bench(keeper, None).finish() else { panic!("it was committed") };
    assert!(error.message.contains("kept beyond the end of its closure"), "{error}");
}

fn two_at_once() -> Begin {
    workflow!(async |step| {
        let (left, right) = join((
            durable(step.transaction(At("left"), async |_tx: Tx| effect("left", 1).await)),
            durable(step.transaction(At("right"), async |_tx: Tx| effect("right", 2).await)),
        ))
        .await;
        Ok(left? + right?)
    })
}

#[test]
fn each_transaction_has_a_commit_of_its_own() {
    let mut bench = bench(two_at_once(), None);
    assert_eq!(keys(&commit(bench.poll())), ["left"]);
    // The other one is over too, and waits for its turn.
    assert_eq!(effects(), ["begin", "left", "begin", "right"]);
    bench.machine.committed(bench.clock);
    assert_eq!(keys(&commit(bench.poll())), ["right"]);
}

#[test]
fn one_writer_is_not_waited_for_by_two_of_a_run() {
    let mut bench = bench(two_at_once(), ONE_WRITER);
    assert_eq!(keys(&commit(bench.poll())), ["left"]);
    assert_eq!(effects(), ["begin", "left"]);
    bench.machine.committed(bench.clock);
    assert_eq!(keys(&commit(bench.poll())), ["right"]);
}

#[test]
fn one_writer_is_not_waited_for_by_the_commit_of_another_branch() {
    let beside = workflow!(async |step| {
        let (paid, ()) = join((
            durable(step.transaction(At("pay"), async |tx: Tx| {
                let paid = gated("pay").await;
                drop(tx);
                paid
            })),
            durable(Branch(async {
                let _ = durable(step.run(At("log"), || gated("log"))).await;
                durable(step.sleep(At("rest"), Duration::from_secs(60))).await;
            })),
        ))
        .await;
        Ok(paid?)
    });
    let mut bench = bench(beside, ONE_WRITER);
    assert_eq!(bench.poll(), Poll::Pending);
    open("log");
    // It is over, and could not be committed before the transaction is.
    assert_eq!(bench.poll(), Poll::Pending);
    open("pay");
    assert_eq!(keys(&commit(bench.poll())), ["pay"]);
    bench.machine.committed(bench.clock);
    assert_eq!(keys(&commit(bench.poll())), ["log"]);
}

#[test]
fn one_writer_is_taken_once_what_was_handed_in_is_committed() {
    let after = workflow!(async |step| {
        let ((), paid) = join((
            durable(step.sleep(At("rest"), Duration::from_secs(60))),
            durable(step.transaction(At("pay"), async |_tx: Tx| effect("pay", 1).await)),
        ))
        .await;
        Ok(paid?)
    });
    let mut bench = bench(after, ONE_WRITER);
    assert_eq!(keys(&commit(bench.poll())), ["rest"]);
    assert_eq!(bench.poll(), Poll::Pending);
    assert_eq!(effects(), Vec::<String>::new());
    bench.machine.committed(bench.clock);
    assert_eq!(keys(&commit(bench.poll())), ["pay"]);
}

#[test]
fn a_loser_is_rolled_back() {
    let race_with_a_gate = workflow!(async |step| {
        let winner = race((
            durable(step.run(At("gate"), || gated("gate"))),
            durable(step.transaction(At("pay"), async |tx: Tx| {
                let paid = gated("pay").await;
                drop(tx);
                paid
            })),
        ))
        .await;
        Ok(matches!(winner, Race2::A(_)))
    });
    let mut bench = bench(race_with_a_gate, None);
    assert_eq!(bench.poll(), Poll::Pending);
    open("gate");
    assert_eq!(bench.finish(), completed("true"));
    assert_eq!(bench.keys(), ["gate"]);
    assert_eq!(effects(), ["begin", "gate"]);
}

#[test]
fn a_loser_that_waits_for_its_commit_is_rolled_back() {
    let race = workflow!(async |step| {
        let winner = race((
            durable(step.transaction(At("left"), async |_tx: Tx| effect("left", 1).await)),
            durable(step.transaction(At("right"), async |_tx: Tx| effect("right", 2).await)),
        ))
        .await;
        Ok(matches!(winner, Race2::A(_)))
    });
    let mut bench = bench(race, None);
    assert_eq!(bench.finish(), completed("true"));
    assert_eq!(bench.keys(), ["left"]);
    assert_eq!(effects(), ["begin", "left", "begin", "right"]);
}

#[test]
fn time_counts_from_the_beginning_of_the_transaction() {
    let slow = workflow!(async |step| {
        let operation = step.transaction(At("pay"), async |_tx: Tx| gated("pay").await);
        durable(operation.retries(0)).await.map_err(Failure::from)
    });
    let mut bench = bench(slow, ONE_WRITER);
    assert_eq!(bench.poll(), Poll::Pending);
    assert_eq!(
        bench.machine.next_due(),
        Some(bench.clock + SignedDuration::from_secs(2)),
        "it may not keep others from writing for longer"
    );
    bench.clock += SignedDuration::from_secs(3);
    let End::Failed(error) = bench.finish() else { panic!("it was committed") };
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(matches!(bench.journal[0].transition, Transition::Failed { .. }));
}
