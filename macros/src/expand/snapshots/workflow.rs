/// Triage a new ticket.
/**
# States

```text
start -> fetch
fetch -> fork 1
fork 1 -> rest
rest -> join 1
fork 1 -> tell
tell -> join 1
join 1 -> end
```*/
#[allow(non_camel_case_types)]
pub struct on_ticket {}
#[doc(hidden)]
pub fn on_ticket() -> ::indelible::__private::Called<on_ticket> {
    ::indelible::__private::Called::of()
}
::indelible::__private::states! {
    #[doc = "The states of `on_ticket`: one for each of its steps."] pub enum
    OnTicketState { Fetch = "fetch", Rest = "rest", Tell = "tell" }
}
const _: () = {
    use ::indelible::__private;
    impl __private::Workflow for on_ticket {
        type Input = TicketCreated;
        type Output = <Result<(), Failure> as __private::Returns>::Output;
        type State = OnTicketState;
        __private::named! {
            on_ticket = "on-ticket"
        }
        const CONFIG: __private::Config = __private::Config::DEFAULT
            .retries(2u32)
            .backoff(
                __private::Backoff::new(
                    __private::Backoff::DEFAULT.initial,
                    __private::Duration::new(60u64, 0u32),
                ),
            );
        const GRAPH: __private::Graph = __private::Graph::written(
            "1 run fetch\n1 sleep rest\n1 run tell\n",
            "start 0\n0 fork0\nfork0 1\n1 join0\nfork0 2\n2 join0\njoin0 end\n",
        );
    }
    const _: () = __private::input_is_served::<on_ticket>();
    impl __private::Body for on_ticket {
        fn requirements() -> __private::Vec<__private::Requirement> {
            __private::requirements([
                __private::parameter::<Resource<Desk>>().requirement(),
            ])
        }
        fn begin(context: __private::Context) -> __private::BodyFuture {
            #[allow(
                clippy::redundant_closure,
                reason = "a step's attempt is made into one"
            )]
            async fn __body(
                event: TicketCreated,
                step: Step,
                Resource(desk): Resource<Desk>,
            ) -> Result<(), Failure> {
                let ticket = __private::durable(
                        step
                            .run(OnTicketState::Fetch, || desk.ticket(event.id))
                            .timeout(__private::Duration::new(30u64, 0u32)),
                    )
                    .await?;
                __private::join((
                        __private::durable(
                            step
                                .sleep(
                                    OnTicketState::Rest,
                                    __private::Duration::new(3600u64, 0u32),
                                ),
                        ),
                        __private::durable(
                            __private::Branch(async {
                                step.run(
                                        OnTicketState::Tell,
                                        || async { Ok::<_, __private::Failure>(ticket.name) },
                                    )
                                    .await
                            }),
                        ),
                    ))
                    .await;
                tracing::info!(ticket = % ticket.id, "told");
                Ok(())
            }
            __private::begin::<
                Self,
                _,
            >(
                context,
                |input, context| {
                    __body(
                        input,
                        __private::parameter::<Step>().make(context),
                        __private::parameter::<Resource<Desk>>().make(context),
                    )
                },
            )
        }
    }
};
