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
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
pub struct on_ticket;
///The states of `on_ticket`: one for each of its steps.
#[allow(missing_docs, non_camel_case_types)]
#[derive(
    ::core::clone::Clone,
    ::core::marker::Copy,
    ::core::fmt::Debug,
    ::core::cmp::PartialEq,
    ::core::cmp::Eq,
    ::core::hash::Hash,
)]
pub enum OnTicketState {
    Fetch,
    Rest,
    Tell,
}
const _: () = {
    use ::indelible::__private;
    impl __private::State for OnTicketState {
        const ALL: &'static [Self] = &[Self::Fetch, Self::Rest, Self::Tell];
        fn id(self) -> &'static str {
            ["fetch", "rest", "tell"][self as usize]
        }
    }
    impl __private::fmt::Display for OnTicketState {
        fn fmt(&self, f: &mut __private::fmt::Formatter<'_>) -> __private::fmt::Result {
            f.pad(__private::State::id(*self))
        }
    }
    impl __private::FromStr for OnTicketState {
        type Err = __private::UnknownState;
        fn from_str(id: &str) -> __private::Result<Self, Self::Err> {
            __private::UnknownState::or_find(id)
        }
    }
    impl __private::Serialize for OnTicketState {
        fn serialize<S: __private::Serializer>(
            &self,
            serializer: S,
        ) -> __private::Result<S::Ok, S::Error> {
            serializer.serialize_str(__private::State::id(*self))
        }
    }
    impl<'de> __private::Deserialize<'de> for OnTicketState {
        fn deserialize<D: __private::Deserializer<'de>>(
            deserializer: D,
        ) -> __private::Result<Self, D::Error> {
            __private::deserialize_state(deserializer)
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
                __private::StateDef::run("fetch", 1),
                __private::StateDef::sleep("rest", 1),
                __private::StateDef::run("tell", 1),
            ],
            edges: {
                use __private::{Edge, Node::*};
                &[
                    Edge::new(Start, State(0), ""),
                    Edge::new(State(0), Fork(0), ""),
                    Edge::new(Fork(0), State(1), ""),
                    Edge::new(State(1), Join(0), ""),
                    Edge::new(Fork(0), State(2), ""),
                    Edge::new(State(2), Join(0), ""),
                    Edge::new(Join(0), End, ""),
                ]
            },
            allowed: &[],
        };
        const WAITS: &'static [__private::Awaits] = &[];
    }
    const _: () = __private::input_is_served::<on_ticket>();
    impl __private::Body for on_ticket {
        const UNDOS: &'static [__private::Undo] = &[];
        fn requirements() -> __private::Vec<__private::Requirement> {
            __private::requirements([
                __private::parameter::<Step>().requirement(),
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
            __private::begin::<
                Self,
                _,
            >(
                context,
                |input, context| __body(
                    input,
                    __private::parameter::<Step>().make(context),
                    __private::parameter::<Resource<Desk>>().make(context),
                ),
            )
        }
    }
};
