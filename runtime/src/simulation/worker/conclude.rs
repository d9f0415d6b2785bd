//! How transactions are concluded, and what goes wrong with that.

use std::time::Duration;

use uuid::Uuid;

use super::super::faults::Fault;
use super::Simulated;
use crate::journal::{ErrorKind, ErrorRecord, RunCommit};
use crate::step::{Open, Rollback};
use crate::store::{Concluded, StoreError};
use crate::transaction::Connection;

impl Simulated {
    /// Concludes a transaction, or fails to; whether the worker lives on.
    pub(super) async fn conclude(&mut self, commit: RunCommit, open: &Open) -> bool {
        let (id, worker) = (Uuid::now_v7(), self.id);
        let tx: Connection = open.take().expect("its closure has given it back");
        let store = self.store.clone();
        let conclude = store.conclude_transaction(tx, worker, id, &commit);
        let fault = self.faults.of_flush();
        let concluded = match fault {
            // Its connection is gone with it: it cannot be sent again.
            None | Some(Fault::SentTwice) => conclude.await.expect("a live worker can commit"),
            Some(Fault::Unanswered | Fault::UnansweredAndLost) => {
                let lost = fault == Some(Fault::UnansweredAndLost);
                match lost {
                    true => drop(conclude),
                    false => drop(conclude.await.expect("a live worker can commit")),
                }
                let found = store.concluded_transaction(id, &commit).await;
                let found = found.expect("the store answers");
                assert_eq!(found.is_none(), lost, "it is known what became of it");
                let error = ErrorRecord::new(ErrorKind::Error, "the reply is lost");
                match found {
                    Some(flushed) => Concluded::Committed(flushed),
                    None => Concluded::RolledBack(Rollback::Undeserved(error)),
                }
            }
            Some(Fault::KilledBehind) => {
                conclude.await.expect("a live worker can commit");
                return self.killed().await;
            }
            Some(Fault::Torn) => {
                let moment = Duration::from_micros(self.faults.moment());
                // Whatever has become of it by then.
                let _ = tokio::time::timeout(moment, conclude).await;
                self.torn = true;
                return self.killed().await;
            }
            // Where there is one writer, nobody takes over while a transaction is open.
            Some(Fault::Late) if !store.has_one_writer() => {
                self.taken_over().await;
                let late = conclude.await;
                assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
                return false;
            }
            Some(Fault::Killed | Fault::Late) => {
                drop(conclude);
                return self.killed().await;
            }
            Some(Fault::Leaves) => {
                drop(conclude);
                return self.leave().await;
            }
        };
        match concluded {
            Concluded::Committed(flushed) => {
                assert!(flushed.evicted.is_empty(), "{:?} are ours", flushed.evicted);
                self.answer(&[commit], &flushed);
            }
            Concluded::RolledBack(rollback) => {
                assert!(matches!(rollback, Rollback::Undeserved(_)), "{rollback:?}");
                let driven = self.runs.get_mut(&commit.run).expect("it is driven");
                driven.machine.rolled_back(rollback);
                driven.woken.set();
            }
        }
        true
    }
}
