//! Workers on this machine. Whether one's process is still there is known at once, so that nobody has to
//! wait for its lease to run out. That is so after a crash with a supervisor, and where a developer
//! starts a program again.

use std::sync::LazyLock;

use uuid::Uuid;

use super::database::Link;
use crate::store::StoreError;

/// Goes over all workers: there is one row a process.
const NEIGHBOURS: &str = "SELECT id, pid FROM indelible.workers WHERE machine = $1";

/// Where the id of a process means one process: a namespace of processes, since one start of one machine.
/// `None` where that cannot be told; then leases decide.
pub(super) fn machine() -> Option<&'static str> {
    static MACHINE: LazyLock<Option<String>> = LazyLock::new(this_machine);
    MACHINE.as_deref()
}

#[cfg(target_os = "linux")]
fn this_machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

#[cfg(not(target_os = "linux"))]
fn this_machine() -> Option<String> {
    None
}

/// The workers whose processes are gone.
pub(super) async fn gone(link: &mut Link) -> Result<Vec<Uuid>, StoreError> {
    let Some(machine) = machine() else { return Ok(Vec::new()) };
    let neighbours: Vec<(Uuid, i64)> =
        sqlx::query_as(NEIGHBOURS).bind(machine).fetch_all(link).await?;
    let gone = neighbours.into_iter().filter(|(_, pid)| is_gone(*pid));
    Ok(gone.map(|(worker, _)| worker).collect())
}

/// Whether there is no process with this id. Another one may have it by now, or somebody else's may not
/// be asked about; then the lease decides.
#[cfg(target_os = "linux")]
fn is_gone(pid: i64) -> bool {
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process};

    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

#[cfg(not(target_os = "linux"))]
fn is_gone(_: i64) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use crate::id::WorkerId;
    use crate::store::conformance::{HOUR, World, ids, on_postgres, program, worker};
    use crate::store::{StoreError, Worker};

    async fn joined(world: &World, pid: u32) -> WorkerId {
        let worker = Worker { pid, ..worker(program(&[])) };
        world.store.begin_lease(&worker, HOUR).await.expect("a worker can join");
        worker.id
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_worker_on_this_machine_is_taken_over_from_as_soon_as_its_process_is_gone() {
        on_postgres(|world: World| async move {
            let mut process = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it runs");
            let dying = joined(&world, process.id()).await;
            let run = world.claimed(dying).await;
            assert_eq!(world.take_over().await.expect("it lives"), 0);
            process.kill().expect("it can be killed");
            process.wait().expect("it is gone");
            assert_eq!(world.take_over().await.expect("it is gone"), 1);
            let renewed = world.store.renewals().renew(dying, HOUR).await;
            assert!(matches!(renewed, Err(StoreError::LeaseLost)), "{renewed:?}");
            let next = joined(&world, std::process::id()).await;
            assert_eq!(ids(&world.claim(next, 1).await), [run]);
        })
        .await;
    }

    #[tokio::test]
    async fn of_workers_on_other_machines_only_the_lease_tells() {
        on_postgres(|world: World| async move {
            // No process has so high an id.
            joined(&world, u32::try_from(i32::MAX).expect("it fits")).await;
            world.database.update("workers", "machine = 'another'").await;
            let store = Arc::clone(&world.store);
            store.take_over_runs(&|_| Vec::new()).await.expect("it answers");
            assert_eq!(world.database.rows("workers").await, 1);
        })
        .await;
    }
}
