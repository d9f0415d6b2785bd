///The events and workflows of `help-desk`.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
pub struct HelpDesk;
const _: () = {
    use ::indelible::__private;
    const DECLARED: __private::Declared = __private::Declared {
        events: &[
            __private::EventDef::of::<TicketCreated>(),
            __private::EventDef::of::<users::SignedUp>(),
        ],
        workflows: &[__private::definition(on_ticket)],
    };
    const _: () = DECLARED.event_is_unique(0usize);
    const _: () = DECLARED.event_is_unique(1usize);
    const _: () = DECLARED.workflow_is_unique(0usize);
    const _: () = DECLARED.triggers_are_declared(0usize);
    const _: () = DECLARED.waits_are_declared(0usize);
    const _: () = DECLARED.cancellations_are_declared(0usize);
    const _: () = DECLARED.handlers_are_declared(0usize);
    const _: () = DECLARED.shared_limits_agree(0usize);
    impl __private::App for HelpDesk {
        const NAME: &'static str = "help-desk";
        fn events() -> __private::Vec<__private::EventDef> {
            DECLARED.events.to_vec()
        }
        fn workflows() -> __private::Vec<__private::Definition> {
            DECLARED.workflows.to_vec()
        }
    }
};
