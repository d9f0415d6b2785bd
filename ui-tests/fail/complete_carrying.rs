use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn mails(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    let mut total = 0;
    let mut page = 0;
    let last = 10;
    #[carried(page)]
    'pages: loop {
        total += step.run("mail", desk.mail("page")).await?;
        page += 1;
        if page == last {
            break;
        }
    }
    #[carried(last, page: 3)]
    while step.random("toss") < 0.5 {}
    #[carried]
    for ticket in 0..event.ticket {
        step.run("mail-again", desk.mail(&format!("{ticket}"))).await?;
    }
    if total > 0 {
        #[carried(total)]
        loop {
            total += step.run("mail-more", desk.mail("more")).await?;
        }
    }
    Ok(total)
}

#[workflow]
async fn carries_no_loop(event: TicketCreated) -> Result<u32, Failure> {
    #[carried(ticket)]
    let ticket = event.ticket;
    #[carried(ticket)]
    println!("{ticket}");
    Ok(ticket)
}

#[durable]
async fn waits(step: &Step) {
    #[carried]
    loop {
        step.sleep("rest", "1s").await;
    }
}

fn main() {}
