//! An app of many runs that do no harm, and of some that do.

use std::time::Duration;

use indelible::prelude::*;

/// Two steps that take a moment each.
#[workflow(input)]
pub async fn work(number: u32, step: Step) -> Result<u32, Failure> {
    step.run("begin", a_moment()).await?;
    step.run("end", a_moment()).await?;
    Ok(number)
}

async fn a_moment() -> Result<(), Failure> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(())
}

/// Its second step takes its process down.
#[workflow(input)]
pub async fn poison((): (), step: Step) -> Result<(), Failure> {
    step.run("seem-harmless", a_moment()).await?;
    step.run("strike", async { strike() }).await?;
    Ok(())
}

fn strike() -> Result<(), Failure> {
    std::process::abort();
}

/// Blocks the thread that drives it, for so many milliseconds.
#[workflow(input)]
pub async fn block(millis: u64, step: Step) -> Result<(), Failure> {
    step.run("block", async {
        std::thread::sleep(Duration::from_millis(millis));
        Ok::<_, Failure>(())
    })
    .await?;
    Ok(())
}

/// The same while a transaction is open.
#[workflow(input)]
pub async fn block_in_transaction(millis: u64, step: Step) -> Result<(), Failure> {
    step.transaction("block", async |_| {
        std::thread::sleep(Duration::from_millis(millis));
        Ok::<_, Failure>(())
    })
    .await?;
    Ok(())
}

indelible::app! {
    /// The app.
    pub Crowd = "crowd";
    events: [],
    workflows: [work, poison, block, block_in_transaction],
}
