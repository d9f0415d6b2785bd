use indelible::prelude::*;

#[workflow(input, timeout(start = "2 weeks", finish = "1 day"))]
async fn both(_input: u32) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, timeout(finish = "30s"))]
async fn one(_input: u32) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
