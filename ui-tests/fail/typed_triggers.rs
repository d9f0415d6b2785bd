use indelible::prelude::*;

#[derive(Serialize, Deserialize)]
struct Plain;

#[workflow]
async fn by_a_name(_event: &'static str, _step: Step) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn by_a_plain_type(_event: Plain, _step: Step) -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn by_nothing() -> Result<(), Failure> {
    Ok(())
}

#[workflow]
async fn by_the_step(step: Step) -> Result<(), Failure> {
    step.sleep("rest", "1s").await;
    Ok(())
}

fn main() {}
