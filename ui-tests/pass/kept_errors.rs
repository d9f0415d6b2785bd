use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[derive(Debug, Serialize, Deserialize)]
enum LookUpError {
    NotThere,
}

impl std::fmt::Display for LookUpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is not there")
    }
}

impl std::error::Error for LookUpError {}

async fn look_up(_ticket: u32) -> Result<String, LookUpError> {
    Err(LookUpError::NotThere)
}

#[workflow]
async fn on_ticket(event: TicketCreated, step: Step) -> Result<String, Failure> {
    let found = step.run("look-up", look_up(event.ticket)).keep_error().await;
    match found {
        Ok(found) => Ok(found),
        Err(error) => match error.downcast() {
            Some(LookUpError::NotThere) => Ok("nothing".to_owned()),
            None => Err(error.into()),
        },
    }
}

fn main() {}
