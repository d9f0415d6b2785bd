/// Triage a new ticket.
#[allow(non_camel_case_types)]
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
pub struct on_ticket;
///The states of [`on_ticket`]: one for each of its steps.
#[allow(non_camel_case_types)]
#[derive(
    ::core::clone::Clone,
    ::core::marker::Copy,
    ::core::fmt::Debug,
    ::core::cmp::PartialEq,
    ::core::cmp::Eq,
    ::core::hash::Hash,
)]
pub enum OnTicketState {
    ///The step `fetch`.
    Fetch,
    ///The step `rest`.
    Rest,
    ///The step `tell`.
    Tell,
}
const _: () = {
    use ::indelible::__private;
    impl __private::State for OnTicketState {
        const ALL: &'static [Self] = &[Self::Fetch, Self::Rest, Self::Tell];
        fn id(self) -> &'static str {
            match self {
                Self::Fetch => "fetch",
                Self::Rest => "rest",
                Self::Tell => "tell",
            }
        }
    }
    impl __private::Workflow for on_ticket {
        type Input = TicketCreated;
        type Output = <Result<(), Failure> as __private::Returns>::Output;
        type State = OnTicketState;
        const ID: &'static str = "on-ticket";
        const PATH: &'static str = __private::concat!(
            __private::module_path!(), "::", __private::stringify!(on_ticket)
        );
        const CONFIG: __private::Config = __private::Config::DEFAULT
            .retries(2u32)
            .backoff(
                __private::Backoff::new(
                    __private::Backoff::DEFAULT.initial,
                    __private::Duration::new(60u64, 0u32),
                ),
            );
        const GRAPH: __private::Graph = __private::Graph {
            states: &[
                __private::StateDef {
                    id: "fetch",
                    kind: __private::StepKind::Run,
                    line: 1u32,
                },
                __private::StateDef {
                    id: "rest",
                    kind: __private::StepKind::Sleep,
                    line: 1u32,
                },
                __private::StateDef {
                    id: "tell",
                    kind: __private::StepKind::Run,
                    line: 1u32,
                },
            ],
        };
    }
    impl __private::Body for on_ticket {
        fn requirements() -> __private::Vec<__private::Requirement> {
            __private::requirements([
                __private::parameter::<Step>().requirement(),
                __private::parameter::<Resource<Desk>>().requirement(),
            ])
        }
        async fn run(
            context: __private::Context,
        ) -> __private::Result<Self::Output, __private::Failure> {
            async fn __body(
                event: TicketCreated,
                step: Step,
                Resource(desk): Resource<Desk>,
            ) -> Result<(), Failure> {
                let ticket = __private::durable(
                        step
                            .run(
                                OnTicketState::Fetch,
                                || async { desk.ticket(event.id).await },
                            )
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
                                __private::durable(
                                        step
                                            .run(
                                                OnTicketState::Tell,
                                                || async { Ok::<_, __private::Failure>(ticket.name) },
                                            ),
                                    )
                                    .await
                            }),
                        ),
                    ))
                    .await;
                tracing::info!(ticket = % ticket.id, "told");
                Ok(())
            }
            let input = __private::input::<Self>(&context).await;
            let argument1 = __private::parameter::<Step>().make(&context);
            let argument2 = __private::parameter::<Resource<Desk>>().make(&context);
            __private::finish(__body(input, argument1, argument2).await)
        }
    }
};
