use indelible::prelude::*;

use crate::desk::{Desk, ResetState};
use crate::events::{PasswordChanged, PasswordResetRequested, PasswordResetUsed};

/// Confirm a new password to its owner, and log it.
#[workflow(retries = 2)]
pub(crate) async fn on_password_changed(
    event: PasswordChanged,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let account = step.run("fetch-account", desk.account(event.change_id, &event.email)).await?;
    let letter = step.uuid("confirmation-letter");
    step.run("confirm-change", desk.confirm_change(event.change_id, letter, &account)).await?;
    // The log takes any number of entries. The transaction sees to it that this is one.
    step.transaction("log-change", async |tx| desk.log_change(&mut tx, &account).await).await?;
    Ok(())
}

/// Send somebody a token for a new password. It can be used for a while.
#[workflow(retries = 2)]
pub(crate) async fn on_password_reset_requested(
    event: PasswordResetRequested,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<ResetState, Failure> {
    let account = step.run("fetch-account", desk.account(event.reset_id, &event.email)).await?;
    let token = step.uuid("token");
    step.run("open-reset", desk.open_reset(event.reset_id, token, &account)).await?;
    let letter = step.uuid("reset-letter");
    step.run("mail-token", desk.mail_token(event.reset_id, letter, &account, token)).await?;

    let used = step
        .wait_for_event::<PasswordResetUsed>("token-used")
        .matching(reset_id = event.reset_id)
        .timeout(desk.token_lifetime())
        .await;
    let state = if used.is_some() { ResetState::Used } else { ResetState::Lapsed };
    step.run("close-reset", desk.close_reset(event.reset_id, state)).await?;
    Ok(state)
}
