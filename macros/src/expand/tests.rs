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
fn a_graph_has_what_its_steps_name() {
    let expansion = super::workflow(
        quote!(input, allow(determinism, reason = "it is logged")),
        quote! {
            async fn remind(user: u32, step: Step) -> Result<(), Failure> {
                tell(&step, user).await?;
                step.wait_for_event::<Answered>("answer").matching(user = user).await;
                Ok(())
            }
        },
    );
    assert_snapshot(expansion, "graph.rs");
}

#[test]
fn limits_are_calls_and_their_keys_are_closures_over_the_input() {
    let expansion = super::workflow(
        quote!(
            concurrency(limit = 5, key = event.user),
            concurrency(limit = 100, scope = "llm", hold = run),
            throttle(limit = 10, per = "1m", burst = 5),
            debounce(period = "30s", max = "5m", key = event.page),
            priority = if event.urgent { 600 } else { 0 },
        ),
        quote! {
            async fn on_edit(event: Edited) -> Result<(), Failure> {
                Ok(())
            }
        },
    );
    assert_snapshot(expansion, "limits.rs");
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

#[test]
fn what_is_half_typed_is_expanded_all_the_same() {
    for body in [
        "step.completion",
        "step.run",
        "step.run()",
        "step.run(\"a\")",
        "step.run(\"a\", )",
        "step.run(\"\", x).await",
        "step.run(\"é\", x).await",
        "step.sleep(\"a\")",
        "step.run(a, step.run(b, step.run(c)))",
        "join!()",
        "join!(step)",
        "let x = step.run(\"a\", async {",
        "for",
        "break 'nowhere; continue;",
        "loop { break }",
        "notify(&step).await",
        "|| step.run(\"a\", x)",
        "step. Ok(())",
        "let x = step.run(\"a\", fetch()).await? Ok(())",
        "let x = ; match x { 1 => }",
        "#[workflow] let x = 1;",
        "#[workflow(allow)] let x = 1;",
    ] {
        let Ok(body) = body.parse::<TokenStream>() else { continue };
        let item = quote! {
            async fn on_ticket(event: TicketCreated, step: Step) -> Result<(), Failure> { #body }
        };
        let expansion = super::workflow(quote!(), item).to_string();
        assert!(expansion.contains("Workflow for on_ticket"), "{expansion}");
        let item = quote!(async fn tell(step: &Step) -> Result<(), Failure> { #body });
        let expansion = super::durable(quote!(), item).to_string();
        assert!(expansion.contains("DurableFn for tell"), "{expansion}");
    }
}

#[test]
fn arguments_of_any_shape_are_reported_rather_than_panicked_about() {
    let item = quote!(
        async fn f(event: E) -> Result<(), F> {
            Ok(())
        }
    );
    for arguments in [
        "=",
        "id",
        "id =",
        "id = 1 2",
        "backoff",
        "backoff()",
        "backoff(=)",
        "allow()",
        "input = 3",
        "crate",
        "crate = 1",
        "retries = -1",
        "retries = 99999999999",
        "concurrency",
        "concurrency()",
        "concurrency(limit)",
        "concurrency(limit = x, key, scope = 3, hold = 1 + 1)",
        "concurrency(limit = 1, limit = 2), concurrency, concurrency = 3",
        "throttle(limit = 5 per = 3)",
        "rate_limit(per = \"soon\")",
        "debounce(period, max = \"1s\"), batch",
        "priority",
        "priority()",
        "priority = ",
        "priority = -x",
        "singleton, idempotency",
        "singleton(mode = often), idempotency(key)",
        ", ,",
        "\"x\"",
        "{}",
    ] {
        let arguments: TokenStream = arguments.parse().expect("they are tokens");
        let expansion = super::workflow(arguments, item.clone()).to_string();
        assert!(expansion.contains("struct f"), "{expansion}");
    }
}

#[test]
fn what_a_refused_macro_gave_keeps_its_type_if_that_is_known() {
    let item = quote! {
        async fn on_ticket(event: E, step: Step) -> Result<(), Failure> {
            let x = serde_json::json!({ "a": step.run("a", fetch()).await? });
            let y = told!(a => step.run("b", fetch()).await?);
        }
    };
    let expansion = super::workflow(quote!(), item).to_string();
    assert!(expansion.contains("let x = serde_json :: json ! (null)"), "{expansion}");
    assert!(expansion.contains("let y = __private :: refused ()"), "{expansion}");
}
