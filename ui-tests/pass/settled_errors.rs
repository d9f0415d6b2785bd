//! The error type of a step that never fails is no concern of its author's.

use std::io;

use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow]
async fn on_ticket(event: TicketCreated, step: Step) -> Result<u32, Failure> {
    let is_urgent = event.ticket > 1;
    let one = step.run("closure", || async { Ok(1) }).await?;
    let two = step.run("async-closure", async || Ok(2)).await?;
    let block = step
        .run("block", {
            let number = 1;
            async move { Ok(number) }
        })
        .await?;
    let arms = step
        .run("arms", async {
            match is_urgent {
                true => Ok(1),
                false => panic!("it is not urgent"),
            }
        })
        .await?;
    let repeated = step
        .run("repeated", async {
            loop {
                break Ok(1);
            }
        })
        .await?;
    let early = step
        .run("early", async {
            if is_urgent {
                return Ok(1);
            }
            Ok(2)
        })
        .await?;
    let named = step
        .run("named", async { Ok(1) })
        .retry_if(|error: &io::Error| error.kind() == io::ErrorKind::TimedOut)
        .retries(2)
        .await?;
    let each = [1, 2].map(|number| {
        step.run("each", || async { Ok(number) }).retry_if(|_: &io::Error| true).key(number)
    });
    let each: u32 = step.join_all(each).await.into_iter().flatten().sum();
    Ok(one + two + block + arms + repeated + early + named + each)
}

fn main() {}
