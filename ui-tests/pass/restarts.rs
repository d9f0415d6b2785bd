use indelible::prelude::*;

#[workflow(input)]
async fn goes_on(day: u32, step: Step) -> Result<(), Failure> {
    step.sleep("rest", "1 day").await;
    return step.restart(day + 1);
}

#[workflow(input)]
async fn as_the_last_expression(day: u32, step: Step) -> Result<u32, Failure> {
    step.sleep("rest", "1 day").await;
    match day {
        7 => Ok(day),
        _ if day > 7 => step.restart(1),
        _ => {
            if day == 3 {
                return (step.restart(5));
            }
            step.restart(day + 1)
        }
    }
}

#[workflow(input)]
async fn behind_others(day: u32, step: Step) -> Result<(), Failure> {
    join!(step.sleep("rest", "1 day"), step.sleep("sleep", "2 days"));
    race!(
        _ = step.sleep("doze", "1 day") => return step.restart(day + 1),
        _ = step.sleep("nap", "1 hour") => {}
    );
    for hour in 0..3 {
        step.sleep("pause", "1 hour").key(hour).await;
        if hour == day {
            return step.restart(day);
        }
    }
    Ok(())
}

#[durable]
async fn helper(step: &Step, day: u32) -> u32 {
    step.sleep("rest", "1 day").await;
    day + 1
}

#[workflow(input)]
async fn with_a_helper(day: u32, step: Step) -> Result<(), Failure> {
    let next = helper(&step, day).await;
    return step.restart(next);
}

fn main() {}
