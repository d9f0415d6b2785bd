//! Helpers may be called as crates are, and as others in another scope.

use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[durable]
async fn schemars(step: &Step) -> Result<(), Failure> {
    step.sleep("rest", "1s").await;
    Ok(())
}

mod helpers {
    use indelible::prelude::*;

    #[durable]
    pub async fn serde(step: &Step) -> Result<(), Failure> {
        step.sleep("rest", "1s").await;
        Ok(())
    }
}

mod callers {
    use indelible::prelude::{Failure, Step, workflow};

    use super::helpers::*;

    #[workflow(input)]
    async fn by_a_glob(_n: u32, step: Step) -> Result<(), Failure> {
        serde(&step).await
    }
}

#[workflow]
async fn in_the_module(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    schemars(&step).await
}

fn main() {
    #[durable]
    async fn schemars(step: &Step) -> Result<(), Failure> {
        step.sleep("rest", "1s").await;
        Ok(())
    }

    #[workflow]
    async fn in_a_block(_event: TicketCreated, step: Step) -> Result<(), Failure> {
        schemars(&step).await
    }
}
