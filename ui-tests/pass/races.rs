use indelible::prelude::*;
use indelible_ui_tests::{Desk, TicketCreated};

#[workflow]
async fn first(
    event: TicketCreated,
    step: Step,
    Resource(desk): Resource<Desk>,
) -> Result<(), Failure> {
    loop {
        let size = race! {
            ticket = step.run("fetch-ticket", desk.ticket(event.ticket)) => {
                ticket?.subject.len()
            }
            () = step.sleep("rest", "1s") => break,
            tired = async {
                step.sleep("sleep", "1s").await;
                step.run("mail", desk.mail("tired")).await
            } => return tired.map(drop).map_err(Failure::from),
        };
        if size > 0 {
            return Ok(());
        }
    }
    Ok(())
}

#[workflow]
async fn of_one_case(_event: TicketCreated, step: Step) -> Result<u32, Failure> {
    Ok(race! {
        Ok(rested) = async {
            step.sleep("rest", "1s").await;
            Ok::<u32, std::convert::Infallible>(1)
        } => rested,
        () = step.sleep("sleep", "1h") => 0,
    })
}

fn main() {}
