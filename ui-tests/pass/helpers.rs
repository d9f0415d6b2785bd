use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[derive(Debug, Clone)]
struct User {
    name: String,
}

/// Tells a user.
#[durable]
async fn notify(step: &Step, desk: &Desk, user: &User) -> Result<usize, StepError> {
    let sent = step.run("send-mail", desk.mail(&user.name)).await?;
    if sent == 0 {
        step.sleep("rest", "1s").await;
    }
    Ok(sent)
}

#[durable]
async fn notify_all<T: AsRef<str> + Sync>(
    step: &Step,
    desk: &Desk,
    names: &[T],
    suffix: impl AsRef<str> + Send,
) -> Result<usize, Failure> {
    let mut sent = 0;
    for name in names {
        let user = User { name: format!("{}{}", name.as_ref(), suffix.as_ref()) };
        sent += notify(step, desk, &user).await?;
    }
    Ok(sent)
}

#[workflow]
async fn on_ticket(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    let ticket = step.run("fetch-ticket", desk.ticket(event.ticket)).await?;
    let user = User { name: ticket.subject };
    notify(&step, &desk, &user).await?;
    let (one, all) = join!(
        notify(&step, &desk, &user),
        async { notify_all(&step, &desk, &["a".to_owned()], "!").await },
    );
    one?;
    all?;
    Ok(())
}

fn check() {
    use indelible::workflow::StepKind;
    let states = on_ticket::GRAPH.states();
    let ids: Vec<_> = states.iter().map(|state| state.id).collect();
    assert_eq!(ids, ["fetch-ticket", "notify", "notify", "notify-all"]);
    assert_eq!(states[1].kind, StepKind::Helper);
    let inside = states[3].helper.and_then(|helper| helper.states()[0].helper);
    let inside = inside.expect("`notify_all` calls `notify`");
    assert_eq!(inside.states()[0].id, "send-mail");
    assert_eq!(inside.edges()[1].condition, "sent == 0");
}

fn main() {
    check();
}
