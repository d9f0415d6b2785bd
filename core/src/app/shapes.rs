use super::App;
use crate::workflow::Trigger;
use crate::workflow::shape::{Fields, Shapes, WorkflowShape, settings};

impl Shapes {
    /// The shapes of all that an app has.
    pub fn of<A: App>() -> Self {
        let events = A::events().into_iter();
        let workflows = A::workflows().into_iter().map(|definition| {
            let triggers = definition.triggers.iter().map(Trigger::name);
            let input = (definition.input_schema)();
            let input = input.as_ref().map(|schema| schema.as_value());
            let mut shape = WorkflowShape::new(triggers, input, &definition.graph)
                .started(definition.form, &definition.config);
            shape.settings.extend(settings(&definition.config, definition.cancels));
            (definition.id.to_owned(), shape)
        });
        Self {
            app: A::NAME.to_owned(),
            events: events
                .map(|event| (event.name.to_owned(), Fields::of(event.schema().as_value())))
                .collect(),
            workflows: workflows.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Payment {
        order: Uuid,
        cents: u32,
    }

    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "shop/refunded")]
    struct Refunded {
        #[serde(rename = "orderNumber")]
        number: Uuid,
    }

    #[derive(Serialize, Deserialize)]
    struct Unknown;

    #[workflow(input)]
    async fn report(_failed: RunFailed<Payment>) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(
        input,
        on_failure = report,
        timeout(start = "1h", finish = "1 day"),
        cancel_on(Refunded, matching(number = order)),
    )]
    async fn pay(_payment: Payment, step: Step) -> Result<(), Failure> {
        step.sleep("wait", "1h").await;
        Ok(())
    }

    #[workflow(input)]
    async fn guess(_input: Unknown) -> Result<(), Failure> {
        Ok(())
    }

    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "page/viewed")]
    struct Viewed {
        user: u32,
    }

    #[derive(Triggers)]
    enum Told {
        Viewed(Viewed),
        Tick(Tick),
    }

    #[workflow(batch(max = 100, timeout = "5s", key = event.user))]
    async fn gather(_views: Vec<Viewed>) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(on(Viewed, if = event.user > 0), cron("0 9 * * 1-5", tz = "Europe/Paris"))]
    async fn tell(_told: Told) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow]
    async fn view(_view: Received<Viewed>) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(
        concurrency(limit = 5, key = event.user),
        concurrency(limit = 100, scope = "llm", hold = run),
        throttle(limit = 10, per = "1m", burst = 5, key = event.user),
        rate_limit(limit = 3, per = "1h"),
        singleton(key = event.user / 10, mode = cancel),
        idempotency(key = event.user, within = "3 days"),
        priority = 60,
    )]
    async fn limited(_view: Viewed) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(debounce(period = "30s", max = "5m", key = event.user), concurrency(limit = 7, scope = app))]
    async fn settled(_view: Viewed) -> Result<(), Failure> {
        Ok(())
    }

    indelible_macros::app! { Limited = "limited"; events: [Viewed], workflows: [limited, settled], }
    indelible_macros::app! { Shop = "shop"; events: [Refunded], workflows: [pay, guess, report], }
    indelible_macros::app! { Site = "site"; events: [Viewed], workflows: [gather, tell, view], }

    #[test]
    fn what_starts_a_workflow_is_in_its_shape_and_in_which_form() {
        let expected = "\
format 1
app site

event page/viewed
    user: uint32

workflow gather
    on page/viewed
    as a list
    batch of 100, 5s by key
    (start) -> (end)

workflow tell
    on page/viewed
    on tick
    as one of several
    condition on page/viewed
    cron \"0 9 * * 1-5\" in Europe/Paris, catch_up one
    (start) -> (end)

workflow view
    on page/viewed
    (start) -> (end)
";
        assert_eq!(Shapes::of::<Site>().to_string(), expected);
    }

    #[test]
    fn limits_are_in_the_shape_without_the_texts_of_their_keys() {
        let expected = "\
format 1
app limited

event page/viewed
    user: uint32

workflow limited
    on page/viewed
    concurrency of 100 in \"llm\", held until the end
    concurrency of 5 by key
    idempotency within 259200s
    priority
    rate_limit of 3 per 3600s
    singleton cancel by key
    throttle of 10 per 60s, burst 5 by key
    (start) -> (end)

workflow settled
    on page/viewed
    concurrency of 7 in the app
    debounce 30s, at most 300s by key
    (start) -> (end)
";
        let shapes = Shapes::of::<Limited>();
        assert_eq!(shapes.to_string(), expected);
        assert_eq!(expected.parse::<Shapes>().expect("it is read back"), shapes);
    }

    #[test]
    fn an_input_is_in_the_shape_if_it_has_a_schema() {
        let expected = "\
format 1
app shop

event shop/refunded
    orderNumber: uuid

workflow guess
    (start) -> (end)

workflow pay
    input cents: uint32
    input order: uuid
    cancel_on shop/refunded (orderNumber)
    on_failure report
    timeout finish 86400s
    timeout start 3600s
    (start) -> wait
    sleep wait -> (end)

workflow report
    input accepted_at: date-time
    input app: string
    input error: object
    input error.causes?: list
    input error.causes[]: string
    input error.kind: \"cancelled\" | \"crash_loop\" | \"error\" | \"journal_too_long\" | \"panic\" | \"permanent\" | \"timeout\" | \"unstorable\"
    input error.location?: string | null
    input error.message: string
    input error.step?: string | null
    input error.undone?: list
    input error.undone[]: object
    input error.undone[].error?: recursive ErrorRecord | null
    input error.undone[].step: string
    input error.value?: string | null
    input event?: uuid | null
    input input: object
    input input.cents: uint32
    input input.order: uuid
    input run: uuid
    input workflow: string
    (start) -> (end)
";
        assert_eq!(Shapes::of::<Shop>().to_string(), expected);
    }
}
