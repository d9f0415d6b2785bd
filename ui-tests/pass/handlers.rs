use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

#[workflow(input)]
async fn report(_failed: RunFailed<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input)]
async fn regret(cancelled: RunCancelled<u32>, step: Step) -> Result<(), Failure> {
    let RunCancelled { run, workflow, input, reason, .. } = cancelled;
    step.run("tell", async { Ok(format!("{workflow} {run} of {input}: {reason}")) }).await?;
    Ok(())
}

#[workflow(input)]
async fn report_all(failed: RunFailed) -> Result<(), Failure> {
    let RunFailed { input, error, .. } = failed;
    Err(Failure::msg(format!("{input}: {error}")))
}

#[workflow(on_failure = report)]
async fn on_ticket(_event: TicketCreated) -> Result<(), Failure> {
    Ok(())
}

#[workflow(on_failure = report)]
async fn on_received(_event: Received<TicketCreated>) -> Result<(), Failure> {
    Ok(())
}

#[workflow(input, on_cancel = regret)]
async fn on_cancel(_input: u32) -> Result<(), Failure> {
    Ok(())
}

indelible::app! {
    HelpDesk = "help-desk";
    events: [TicketCreated],
    workflows: [report, regret, report_all, on_ticket, on_received, on_cancel],
    on_failure: report_all,
}

fn main() {}
