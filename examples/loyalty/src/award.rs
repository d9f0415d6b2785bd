use indelible::prelude::*;

use crate::bank::{Bank, Posting};
use crate::events::{AwardRequested, PurchaseRefunded};

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Award {
    /// The points are in the member's wallet.
    Posted {
        /// How many.
        points: i64,
    },
    /// The purchase had been refunded before the request.
    Refunded,
}

/// Award points for a purchase, unless it is refunded.
#[workflow(
    retries = 3,
    concurrency(limit = 10, key = event.merchant_id),
    cancel_on(PurchaseRefunded, matching = source_id),
)]
pub async fn currency_award(
    event: AwardRequested,
    step: Step,
    Resource(bank): Resource<Bank>,
) -> Result<Award, Failure> {
    // No step has run yet, so this is when the request was accepted.
    let requested_at = step.now();

    let Some(points) = step.run("calculate", bank.calculate(&event)).await? else {
        return Ok(Award::Refunded);
    };
    let merchant = step.run("read-merchant", bank.merchant(&event)).await?;
    if let Some(delay) = bank.delay(&merchant) {
        step.sleep_until("cooling-off", requested_at + delay).await;
    }

    // The points and the step's outcome are one commit. A refund may still come between that commit and
    // the end of the run. Then the run is cancelled, and the undo takes the points back.
    let posting = step
        .transaction("post", async |tx| bank.post(&mut tx, &event, points).await)
        .undo(take_back)
        .await?;
    Ok(Award::Posted { points: posting.points })
}

/// Takes points out of a wallet again. It may run several times and does so once.
async fn take_back(posting: Posting, Resource(bank): Resource<Bank>) -> Result<(), Failure> {
    Ok(bank.reverse(&posting).await?)
}
