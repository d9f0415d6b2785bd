use indelible::prelude::*;

#[workflow(input)]
async fn goes_on(day: u32, step: Step) -> Result<(), Failure> {
    step.restart::<()>(day + 1)?;
    step.sleep("rest", "1 day").await;
    Ok(())
}

#[workflow(input)]
async fn mapped(day: u32, step: Step) -> Result<(), Failure> {
    return step.restart(day + 1).map_err(|error| Failure::msg(format!("no more: {error}")));
}

#[workflow(input)]
async fn in_a_guard(day: u32, step: Step) -> Result<(), Failure> {
    match day {
        _ if step.restart(day + 1).is_ok_and(|(): ()| true) => Ok(()),
        _ => Ok(()),
    }
}

#[workflow(input)]
async fn beside_others(day: u32, step: Step) -> Result<(), Failure> {
    let again = async {
        if day > 3 {
            return step.restart(day + 1);
        }
        Ok::<(), Failure>(())
    };
    join!(step.sleep("rest", "1 day"), again);
    Ok(())
}

#[workflow(input)]
async fn in_a_closure(day: u32, step: Step) -> Result<(), Failure> {
    let again = || step.restart(day + 1);
    again()
}

#[workflow(input)]
async fn with_another_input(_day: u32, step: Step) -> Result<(), Failure> {
    return step.restart("tomorrow");
}

#[durable]
async fn helper(step: &Step) -> Result<(), Failure> {
    step.sleep("rest", "1 day").await;
    return step.restart(1);
}

fn main() {}
