use quote::ToTokens;
use syn::Type;

use crate::model::WorkflowModel;
use crate::problem::{Problem, Problems};

/// What a function is under its attribute.
fn kind(model: &WorkflowModel) -> &'static str {
    if model.is_helper { "a durable helper" } else { "a workflow" }
}

/// A workflow, or a helper, is an `async fn`: its steps are awaited.
pub(crate) fn is_async(model: &WorkflowModel, problems: &Problems) {
    let signature = &model.function.sig;
    if signature.asyncness.is_none() {
        problems.report(
            Problem::at(&signature.fn_token, format!("{} is an `async fn`", kind(model)))
                .note("its body awaits its steps")
                .help(format!("async fn {}(..)", signature.ident)),
        );
    }
}

/// It is nothing else besides: it is called anew on every resume, by who knows its types alone.
pub(crate) fn is_plain(model: &WorkflowModel, problems: &Problems) {
    let signature = &model.function.sig;
    let others = [
        signature.constness.to_token_stream(),
        signature.safety.to_token_stream(),
        signature.abi.to_token_stream(),
        signature.variadic.to_token_stream(),
    ];
    for other in others.into_iter().filter(|other| !other.is_empty()) {
        problems.report(
            Problem::at(&other, format!("{} is a plain `async fn`", kind(model)))
                .note("the runtime calls it again on every resume, and knows only its types")
                .help(format!("remove `{other}`")),
        );
    }
}

/// A workflow is a free function: there is no `self` to bring back when a run resumes. So is a helper,
/// which has a type of its name beside it.
pub(crate) fn is_free(model: &WorkflowModel, problems: &Problems) {
    let Some(receiver) = model.function.sig.receiver() else { return };
    let problem =
        Problem::at(receiver, format!("{} is a free function, without `self`", kind(model)));
    problems.report(if model.is_helper {
        let name = model.name();
        problem.note("the compiler makes a type of its name, which cannot stand in an `impl`").help(
            format!(
                "move it out, and give it what it needs: async fn {name}(step: &Step, desk: &Desk)"
            ),
        )
    } else {
        problem.note("a run is resumed in another process, where this `self` does not exist").help(
            "move it out, and take what it needs as a resource: `Resource(desk): Resource<Desk>`",
        )
    });
}

/// It has one step handle: its steps are those that are called on it.
pub(crate) fn has_one_handle(model: &WorkflowModel, problems: &Problems) {
    for other in model.handles().skip(1) {
        problems.report(
            Problem::at(&other, format!("{} has one step handle", kind(model)))
                .note(
                    "the compiler finds the steps by it; steps through another handle would not be \
                     in the graph",
                )
                .help("remove this one, and use the first for all steps"),
        );
    }
}

/// A workflow is not generic: the store knows it by one id, which has to mean one function.
pub(crate) fn is_not_generic(model: &WorkflowModel, problems: &Problems) {
    let signature = &model.function.sig;
    let parameters = (!signature.generics.params.is_empty())
        .then(|| signature.generics.params.to_token_stream());
    let types = model.parameters().map(|parameter| &*parameter.ty);
    let opaque = types.filter(|ty| matches!(ty, Type::ImplTrait(_))).map(ToTokens::to_token_stream);
    for generic in parameters.into_iter().chain(opaque) {
        problems.report(
            Problem::at(&generic, "a workflow is not generic")
                .note("the store knows it by one id, which has to mean one function")
                .help("write a workflow for each type, and share a generic function between them"),
        );
    }
}

/// What a workflow gives is a type with a name: it is read back by who waits for it.
pub(crate) fn names_its_output(model: &WorkflowModel, problems: &Problems) {
    for unreadable in model.unreadable_output() {
        let (what, instead) = match unreadable {
            Type::Reference(_) => (
                "a workflow owns what it gives",
                "-> Result<String, Failure>, or another type that borrows nothing",
            ),
            _ => (
                "a workflow names the type that it gives",
                "-> Result<Assignment, Failure>, with a type that derives `Serialize` and \
                 `Deserialize`",
            ),
        };
        problems.report(
            Problem::at(&unreadable, what)
                .note("its output is stored, and read back in another process as this type")
                .help(instead),
        );
    }
}

/// A workflow's first parameter is what starts it.
pub(crate) fn has_an_input(model: &WorkflowModel, problems: &Problems) {
    let signature = &model.function.sig;
    let first = model.parameters().next();
    let borrowed = first.filter(|first| matches!(*first.ty, Type::Reference(_)));
    let problem = if model.begins_with_the_handle() {
        Problem::at(&first, "what starts the workflow is missing before the step handle")
    } else if let Some(first) = borrowed {
        Problem::at(&first.ty, "a workflow owns what starts it")
    } else if first.is_none() && signature.receiver().is_none() {
        Problem::at(&signature.ident, "a workflow takes what starts it as its first parameter")
    } else {
        return;
    };
    problems.report(
        problem
            .note("the event, or the input, is stored with the run and given to it on every resume")
            .help(format!(
                "async fn {}(event: TicketCreated, step: Step, ..), or `#[workflow(input)]` with \
                 any serialisable type",
                signature.ident
            )),
    );
}

/// A workflow returns a `Result`.
pub(crate) fn returns_a_result(model: &WorkflowModel, problems: &Problems) {
    if let Some(other) = model.returns_something_else() {
        problems.report(
            Problem::at(&other, "a workflow returns a `Result`")
                .note("its `Ok` value is the run's output, and an `Err` fails the run")
                .help("-> Result<(), Failure>, with the output in the place of `()`"),
        );
    }
}

/// A helper takes the step handle: without steps of its own it is an ordinary function.
pub(crate) fn takes_the_handle(model: &WorkflowModel, problems: &Problems) {
    let signature = &model.function.sig;
    if model.handle.is_none() {
        problems.report(
            Problem::at(&signature.ident, "a durable helper takes the step handle")
                .note("its steps belong to its caller, under the helper's name")
                .help(format!(
                    "async fn {}(step: &Step, ..); a function without steps needs no `#[durable]`",
                    signature.ident
                )),
        );
    }
}

/// A helper does not call itself: its states are part of its caller's, which have to end.
pub(crate) fn does_not_recurse(model: &WorkflowModel, problems: &Problems) {
    for call in model.calls_of_itself() {
        problems.report(
            Problem::at(call, format!("`{}` calls itself", model.name()))
                .note("a helper's states are part of its caller's graph, which has to be finite")
                .help("write a loop, or start a run for each level"),
        );
    }
}
