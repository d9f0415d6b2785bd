use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[durable]
async fn notify(step: &Step, ticket: u32) -> Result<u32, Failure> {
    Ok(step.run("count", async move { Ok(ticket) }).await?)
}

#[workflow]
async fn wherever_it_is_seen(event: TicketCreated, step: Step) -> Result<(), Failure> {
    (notify(&step, event.ticket)).await?;
    if event.ticket > 1 { notify(&step, 1) } else { notify(&step, 2) }.await?;
    let later: _ = match event.ticket {
        1 => notify(&step, 1),
        _ => notify(&(step), 2),
    };
    later.await?;
    let _ = join!(notify(&step, 3), notify(&step, 4));
    let first = notify(&step, 1).key("first");
    first.await?;
    step.join_all([notify(&step, 5).key(5), notify(&step, 6).key(6)]).await;
    step.join_all(vec![notify(&step, 7).key(7)]).await;
    step.join_all((0..3).filter_map(|n| Some(notify(&step, n).key(n)))).await;
    let mut calls = Vec::new();
    for n in 0..3 {
        calls.push(notify(&step, n).key(n));
    }
    step.join_all(calls).await;
    Ok(())
}

#[workflow]
async fn through_variables(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let copy = &step;
    notify(copy, event.ticket).await?;
    let (first, second) = (notify(&step, 1), notify(&step, 2));
    first.await?;
    second.key("second").await?;
    let tell = |ticket| notify(&step, ticket);
    tell(1).await?;
    let later = tell(2);
    later.await?;
    let mut calls = Vec::new();
    calls.push(notify(&step, 1).key("third"));
    let fourth = notify(&step, 1).key("fourth");
    calls.push(fourth.key(4));
    let told: Vec<_> = (5..7).map(|n| notify(&step, n).key(n)).collect();
    step.join_all(calls.into_iter().chain(told)).await;
    Ok(())
}

fn main() {
    let helpers =
        wherever_it_is_seen::GRAPH.states().iter().filter(|it| it.helper.is_some()).count();
    assert_eq!(helpers, 13);
    let helpers = through_variables::GRAPH.states().len();
    assert_eq!(helpers, 7);
}
