use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(input)]
async fn report(_failed: RunFailed<u32>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input)]
async fn regret(_cancelled: RunCancelled<u32>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(on_failure = report)]
async fn with_another_input(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, on_cancel = report)]
async fn the_other_end(_input: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, on_failure = "report")]
async fn by_name(_input: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, on_failure = not_a_workflow)]
async fn a_function(_input: u32) -> Result<(), Failure> {
    Ok(())
}

async fn not_a_workflow(_failed: RunFailed<u32>) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
