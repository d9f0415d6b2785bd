//! Whole expansions, held against files that can be read as code. `TRYBUILD=overwrite` writes them
//! anew, as it does for the messages in `ui-tests`.

use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

/// The expansion, formatted, is what stands in the file.
fn assert_snapshot(expansion: TokenStream, name: &str) {
    let file = syn::parse2(expansion).expect("an expansion is a list of items");
    let found = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/expand/snapshots").join(name);
    if std::env::var_os("TRYBUILD").is_some_and(|mode| mode == "overwrite") {
        std::fs::write(&path, &found).expect("the snapshot is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} differs:\n{found}", path.display());
}

#[test]
fn a_workflow_becomes_a_type_its_states_and_its_body() {
    let expansion = super::workflow(
        quote!(retries = 2, backoff(max = "1m")),
        quote! {
            /// Triage a new ticket.
            pub async fn on_ticket(
                event: TicketCreated,
                step: Step,
                Resource(desk): Resource<Desk>,
            ) -> Result<(), Failure> {
                let ticket = step.run("fetch", desk.ticket(event.id)).timeout("30s").await?;
                join!(
                    step.sleep("rest", "1h"),
                    async { step.run("tell", async move { Ok(ticket.name) }).await },
                );
                tracing::info!(ticket = %ticket.id, "told");
                Ok(())
            }
        },
    );
    assert_snapshot(expansion, "workflow.rs");
}

#[test]
fn an_event_has_its_name_and_its_path() {
    let expansion = super::event(quote! {
        #[event(name = "ticket/created")]
        pub struct TicketCreated {
            id: u32,
        }
    });
    assert_snapshot(expansion, "event.rs");
}

#[test]
fn an_app_gathers_events_and_workflows() {
    let expansion = super::app(quote! {
        pub HelpDesk = "help-desk";
        events: [TicketCreated, users::SignedUp],
        workflows: [on_ticket],
    });
    assert_snapshot(expansion, "app.rs");
}

#[test]
fn a_mistake_costs_neither_the_type_nor_the_body() {
    let expansion = super::workflow(
        quote!(retry = 2),
        quote! {
            async fn on_ticket(event: TicketCreated, step: Step) -> Result<(), Failure> {
                step.run(name, fetch()).await?;
                Ok(())
            }
        },
    );
    assert_snapshot(expansion, "mistakes.rs");
}
