use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

/// A macro whose arguments are no expressions, as those of `tracing` are.
macro_rules! log {
    ($name:ident = %$value:expr, $text:literal) => {
        println!("{} {} {}", stringify!($name), $value, $text)
    };
}

#[workflow]
async fn mails(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<usize, Failure> {
    let mut total = 0;
    let mut page = 0;
    let last = 10;
    #[carried(page, total)]
    'pages: loop {
        total += step.run("mail", desk.mail("page")).await?;
        page += 1;
        if page == last {
            break 'pages;
        }
    }
    let mut names = vec!["ann".to_owned()];
    let found = #[carried(total)]
    loop {
        total += step.run("mail-more", desk.mail("more")).await?;
        if total > 20 {
            break total;
        }
    };
    #[carried(names)]
    while let Some(name) = names.pop() {
        step.run("mail-name", desk.mail(&name)).await?;
        log!(total = %name, "mailed");
    }
    #[carried]
    for ticket in 0..event.ticket {
        if matches!(event.ticket.checked_sub(ticket), Some(total) if total > 3) {
            continue;
        }
        step.run("mail-ticket", desk.mail(&format!("{ticket}"))).await?;
    }
    Ok(found)
}

fn main() {}
