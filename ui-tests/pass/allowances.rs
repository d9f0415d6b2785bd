use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(allow(determinism, reason = "only printed"))]
async fn for_the_workflow(_event: TicketCreated) -> Result<(), Failure> {
    println!("{:?}", std::time::Instant::now());
    Ok(())
}

#[workflow]
async fn for_one_statement(_event: TicketCreated) -> Result<(), Failure> {
    #[workflow(allow(determinism, reason = "only printed"))]
    let began = std::time::Instant::now();
    println!("{began:?}");
    Ok(())
}

#[workflow]
async fn for_an_assignment(_event: TicketCreated) -> Result<(), Failure> {
    let mut waited = std::time::Duration::ZERO;
    #[workflow(allow(determinism, reason = "only printed"))]
    waited += std::time::SystemTime::now().elapsed()?;
    println!("{waited:?}");
    Ok(())
}

#[workflow]
async fn for_an_arm(event: TicketCreated) -> Result<(), Failure> {
    match event.ticket {
        #[workflow(allow(determinism, reason = "only printed"))]
        1 => println!("{:?}", std::time::SystemTime::now()),
        _ => {}
    }
    Ok(())
}

fn check() {
    let [allowed] = for_the_workflow::GRAPH.allowed() else { panic!() };
    assert_eq!((allowed.rule, allowed.reason, allowed.line), ("determinism", "only printed", 4));
    assert_eq!(for_one_statement::GRAPH.allowed().len(), 1);
    assert_eq!(for_an_arm::GRAPH.allowed().len(), 1);
    assert_eq!(for_an_assignment::GRAPH.allowed().len(), 1);
}

fn main() {
    check();
}
