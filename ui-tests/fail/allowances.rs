use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(allow(determinism), allow(determinsm, reason = "a slip"), allow(unique_ids, reason = "no"))]
async fn without_a_reason(_event: TicketCreated) -> Result<(), Failure> {
    println!("{:?}", std::time::Instant::now());
    Ok(())
}

#[workflow]
async fn for_one_statement(_event: TicketCreated) -> Result<(), Failure> {
    #[workflow(allow(determinism, reason = "only printed"))]
    println!("{:?}", std::time::Instant::now());
    println!("{:?}", std::time::SystemTime::now());
    Ok(())
}

#[workflow]
async fn for_nothing(event: TicketCreated) -> Result<(), Failure> {
    #[workflow]
    let began = 7;
    match event.ticket {
        #[workflow(retries = 2)]
        1 => println!("{began}"),
        _ => {}
    }
    Ok(())
}

fn main() {}
