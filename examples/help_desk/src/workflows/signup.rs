use indelible::prelude::*;

use crate::desk::Desk;
use crate::events::UserSignedUp;

/// Welcome somebody who made an account.
#[workflow(retries = 2)]
pub(crate) async fn on_user_signup(
    event: UserSignedUp,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let user = step.run("fetch-user", desk.user(&event.email)).await?;
    let letter = step.uuid("welcome-letter");
    step.run("welcome", desk.welcome(letter, &user)).await?;
    Ok(())
}
