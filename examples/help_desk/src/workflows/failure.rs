use indelible::prelude::*;

use crate::desk::Desk;

/// Tell the chat that a run has failed, whichever workflow it is of.
#[workflow(input, retries = 2)]
pub(crate) async fn report_failure(
    failed: RunFailed,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let message = step.uuid("message");
    step.run("post-failure", desk.post_failure(message, &failed)).await?;
    Ok(())
}
