use indelible::prelude::*;

use crate::desk::{Count, Desk};
use crate::events::AdminDigestReady;

/// Count at midnight what admins should know, and announce the numbers.
#[workflow(cron("0 0 * * *"), retries = 2)]
pub(crate) async fn admin_digest(
    tick: Tick,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let day = tick.scheduled_at;
    let (waiting, urgent, unassigned) = try_join!(
        step.run("count-waiting", desk.count(Count::Waiting, day)),
        step.run("count-urgent", desk.count(Count::Urgent, day)),
        step.run("count-unassigned", desk.count(Count::Unassigned, day)),
    )?;
    step.send_event("announce", AdminDigestReady { day, waiting, urgent, unassigned }).await?;
    Ok(())
}

/// Mail the numbers to every admin.
#[workflow(retries = 2)]
pub(crate) async fn mail_admin_digest(
    event: AdminDigestReady,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    let admins = step.run("find-recipients", desk.recipients(event.day)).await?;
    for admin in &admins {
        let letter = step.uuid("digest-letter");
        step.run("mail-admin", desk.mail_numbers(letter, admin, &event)).await?;
    }
    Ok(admins.len())
}

/// Post the numbers in the chat.
#[workflow(retries = 2)]
pub(crate) async fn post_admin_digest(
    event: AdminDigestReady,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let message = step.uuid("message");
    step.run("post-numbers", desk.post_numbers(message, &event)).await?;
    Ok(())
}

/// Mail everybody in the morning what waits for them, in one letter each.
#[workflow(cron("0 8 * * *"), retries = 2)]
pub(crate) async fn batch_digest(
    tick: Tick,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    let day = tick.scheduled_at;
    let bundles = step.run("find-pending", desk.pending(day)).await?;
    for bundle in &bundles {
        let letter = step.uuid("bundle-letter");
        step.run("mail-bundle", desk.mail_bundle(day, letter, bundle)).await?;
        step.run("mark-sent", desk.mark_sent(day, bundle)).await?;
    }
    Ok(bundles.len())
}
