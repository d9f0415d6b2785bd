///The events and workflows of `help-desk`.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
pub struct HelpDesk;
const _: () = {
    use ::indelible::__private;
    impl __private::App for HelpDesk {
        const NAME: &'static str = "help-desk";
        fn events() -> __private::Vec<__private::EventDef> {
            __private::vec![
                __private::EventDef::of:: < TicketCreated > (), __private::EventDef::of::
                < users::SignedUp > ()
            ]
        }
        fn workflows() -> __private::Vec<__private::Definition> {
            __private::vec![__private::Definition::of:: < on_ticket > ()]
        }
    }
};
