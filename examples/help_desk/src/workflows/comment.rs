use indelible::prelude::*;

use crate::desk::Desk;
use crate::events::CommentPosted;

/// Tell those who take part in a ticket about a new comment, and say how many these are.
#[workflow(retries = 2, concurrency(limit = 10, key = event.ticket_id))]
pub(crate) async fn on_comment_posted(
    event: CommentPosted,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    let discussion = step.run("fetch-discussion", desk.discussion(&event)).await?;
    let letter = step.uuid("comment-letter");
    let mut told = 0;
    if let Some(author) = &discussion.author {
        step.run("notify-author", desk.notify_author(letter, author, &discussion)).await?;
        told += 1;
    }
    let notices = discussion.commenters.iter().map(|person| {
        step.run("notify-commenter", desk.notify_commenter(letter, person, &discussion))
            .key(person.id)
    });
    for notice in step.join_all(notices).await {
        notice?;
        told += 1;
    }
    Ok(told)
}
