use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    AngleBracketedGenericArguments, Attribute, Block, Expr, FnArg, Ident, ItemFn, LitStr, Pat,
    PatType, Path, ReturnType, Type,
};

use super::attributes::{self, Attributes};
use super::items::items;
use super::step::id_of;
use super::walk::Contents;
use super::{Boxed, Configuration, Graph, Handle, MacroCall, Nested, Step, Unused};
use crate::parse::WorkflowSyntax;
use crate::problem::Problems;

/// A workflow as its author wrote it.
pub(crate) struct WorkflowModel {
    /// The id under which the store knows it: as configured, or from its name.
    pub(crate) id: LitStr,
    pub(crate) configuration: Configuration,
    /// Whether it stands under `#[durable]`.
    pub(crate) is_helper: bool,
    /// Whether its body could not be read, which was reported.
    pub(crate) is_unread: bool,
    pub(crate) function: ItemFn,
    /// The parameter through which the body performs its steps.
    pub(crate) handle: Option<Handle>,
    /// In the order of the source.
    pub(crate) steps: Vec<Step>,
    /// The steps that have a state of their own, by their place among all.
    states: Vec<usize>,
    pub(crate) macros: Vec<MacroCall>,
    /// The calls of `step.restart(..)`, by their method.
    pub(crate) restarts: Vec<Ident>,
    /// Each `matching(field = value)` and `undo(function)` that stands apart from its step.
    pub(crate) strays: Vec<Ident>,
    pub(crate) nested: Vec<Nested>,
    pub(crate) unused: Vec<Unused>,
    /// The methods of the handle that are awaited though they give their values at once.
    pub(crate) awaited_values: Vec<Ident>,
    /// The macros that are awaited though they await their branches.
    pub(crate) awaited_macros: Vec<Ident>,
    pub(crate) boxed: Vec<Boxed>,
    /// Each `#[carried(..)]` of the body.
    pub(crate) carried: Vec<Attribute>,
    pub(crate) graph: Graph,
    /// The calls of the body's own `async` closures, by what is called.
    pub(crate) closure_calls: Vec<Ident>,
    /// Each `map` that is given an `async` closure by its name.
    pub(crate) closure_maps: Vec<Ident>,
    /// The calls of functions that may be helpers, and that are never awaited, by what is called.
    pub(crate) dropped_calls: Vec<Ident>,
    /// The calls of `step.join_all(..)` that are never awaited, by their method.
    pub(crate) dropped_joins: Vec<Ident>,
    /// The variables that are given to `undo`.
    held_undos: Vec<Ident>,
    /// Where the order of something shows that may be a hash table, which rustc alone can tell: the
    /// `for`, or the method that goes through it.
    pub(crate) orders: Vec<Ident>,
    /// What the body's own items are called, where it waits for something or has undos.
    items: Vec<Ident>,
}

impl WorkflowModel {
    pub(crate) fn new(syntax: WorkflowSyntax, problems: &Problems) -> Self {
        let configuration = Configuration::new(syntax.arguments, problems);
        let is_unread = syntax.is_unread;
        Self { is_unread, ..Self::of(configuration, syntax.function, problems) }
    }

    /// A function under `#[durable]`, which has a body like a workflow's.
    pub(crate) fn helper(syntax: WorkflowSyntax, problems: &Problems) -> Self {
        let configuration = Configuration::of_helper(syntax.arguments, problems);
        let is_unread = syntax.is_unread;
        let model = Self::of(configuration, syntax.function, problems);
        Self { is_helper: true, is_unread, ..model }
    }

    fn of(mut configuration: Configuration, mut function: ItemFn, problems: &Problems) -> Self {
        let mut handle = parameters(&function).find_map(step_handle).map(Handle::new);
        attributes::take_strays(&mut function.attrs, problems);
        let Attributes { allowances, carried } =
            Attributes::take_from(&mut function.block, handle.as_mut(), problems);
        configuration.allowances.extend(allowances);
        let id = configuration.id.take().unwrap_or_else(|| {
            let name = &function.sig.ident;
            LitStr::new(&id_of(name), name.span())
        });
        let contents = Contents::of(&function.block, handle.as_ref());
        let Contents {
            steps,
            macros,
            restarts,
            strays,
            nested,
            unused,
            awaited_values,
            awaited_macros,
            boxed,
            closure_calls,
            closure_maps,
            dropped_calls,
            dropped_joins,
            held_undos,
        } = contents;
        let (states, keys): (Vec<_>, Vec<_>) = states(&steps).unzip();
        let graph = Graph::of(&function.block, handle.as_ref(), &keys);
        let names_items = |step: &Step| step.event.is_some() || step.undo().is_some();
        let items = if steps.iter().any(names_items) { items(&function.block) } else { Vec::new() };
        Self {
            id,
            configuration,
            is_helper: false,
            is_unread: false,
            function,
            handle,
            steps,
            states,
            macros,
            restarts,
            strays,
            nested,
            unused,
            awaited_values,
            awaited_macros,
            boxed,
            carried,
            graph,
            closure_calls,
            closure_maps,
            dropped_calls,
            dropped_joins,
            held_undos,
            orders: Vec::new(),
            items,
        }
    }

    /// Takes the body out, to be rewritten; nothing else needs it by then.
    pub(crate) fn take_body(&mut self) -> Block {
        let stmts = std::mem::take(&mut self.function.block.stmts);
        Block { stmts, brace_token: self.function.block.brace_token }
    }

    /// The steps and calls that have a state in the graph, in the order of the source.
    pub(crate) fn states(&self) -> impl Iterator<Item = &Step> {
        self.states.iter().map(|index| &self.steps[*index])
    }

    /// Whether a type is one of the function's type parameters.
    pub(crate) fn is_generic_over(&self, ty: &Type) -> bool {
        let Type::Path(path) = ty else { return false };
        let mut parameters = self.function.sig.generics.type_params();
        parameters.any(|parameter| path.path.is_ident(&parameter.ident))
    }

    /// The item of the body that a type leads through, if one does.
    pub(crate) fn own_item<'t>(&self, ty: &'t Type) -> Option<&'t Ident> {
        let Type::Path(path) = ty else { return None };
        let first = &path.path.segments.first()?.ident;
        self.items.contains(first).then_some(first)
    }

    /// What an undo is called that the body alone knows.
    pub(crate) fn own_undo<'u>(&self, undo: &'u Expr) -> Option<&'u Ident> {
        let Expr::Path(function) = undo else { return None };
        let first = &function.path.segments.first()?.ident;
        (self.items.contains(first) || self.held_undos.contains(first)).then_some(first)
    }

    /// Where a helper calls itself.
    pub(crate) fn calls_of_itself(&self) -> impl Iterator<Item = &Path> {
        let calls = self.steps.iter().filter_map(|step| step.helper.as_ref());
        calls.filter(|call| call.is_ident(self.name()))
    }

    /// Whether a rule is turned off at a place.
    pub(crate) fn allows(&self, rule: &str, place: &impl ToTokens) -> bool {
        self.configuration.allowances.iter().any(|allowance| allowance.covers(rule, place))
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.function.sig.ident
    }

    /// Whether the signature can be compiled as a workflow's; what keeps it from that is reported by
    /// the rules.
    pub(crate) fn has_a_signature(&self) -> bool {
        let signature = &self.function.sig;
        let first = self.parameters().next().map(|first| &*first.ty);
        signature.generics.params.is_empty()
            && !signature.inputs.is_empty()
            && !self.begins_with_the_handle()
            && !matches!(first, Some(Type::Reference(_)))
            && !self.parameters().any(|input| matches!(*input.ty, Type::ImplTrait(_)))
            && self.returns_something_else().is_none()
            && self.unreadable_output().is_empty()
    }

    /// Each `impl Trait` and each reference in what it returns: what cannot be read back.
    pub(crate) fn unreadable_output(&self) -> Vec<Type> {
        let mut unreadable = Unreadable { is_output: None, found: Vec::new() };
        unreadable.visit_return_type(&self.function.sig.output);
        unreadable.found
    }

    /// The return type, if it is plainly no `Result`. Of most types a macro cannot tell; rustc can.
    pub(crate) fn returns_something_else(&self) -> Option<TokenStream> {
        let is_something_else = |ty: &Type| match ty {
            Type::Path(path) if path.path.segments.len() == 1 => {
                let name = path.path.segments[0].ident.to_string();
                name.starts_with(|first: char| first.is_ascii_lowercase())
                    || ["Option", "String", "Vec", "Box"].contains(&name.as_str())
            }
            other => matches!(
                other,
                Type::Tuple(_)
                    | Type::Reference(_)
                    | Type::Array(_)
                    | Type::Slice(_)
                    | Type::Never(_)
            ),
        };
        match &self.function.sig.output {
            ReturnType::Default => Some(self.name().to_token_stream()),
            ReturnType::Type(_, ty) if is_something_else(ty) => Some(ty.to_token_stream()),
            ReturnType::Type(..) => None,
        }
    }

    /// What keys and the priority call that which starts the workflow. No type is known to a macro; the
    /// names of these are taken at their word.
    pub(crate) fn subject(&self) -> &'static str {
        let first = self.parameters().next().map(|first| &*first.ty);
        let is = |name: &str| match first {
            Some(Type::Path(ty)) => ty.path.segments.last().is_some_and(|last| last.ident == name),
            _ => false,
        };
        match () {
            () if self.configuration.direct => "input",
            () if self.configuration.batched.is_some() || is("Vec") => "events",
            () if is("Tick") => "tick",
            () => "event",
        }
    }

    /// Whether the step handle stands where the input belongs.
    pub(crate) fn begins_with_the_handle(&self) -> bool {
        self.parameters().next().and_then(step_handle).is_some()
    }

    /// Whether its body is left out, where rustc would only say in other words what was reported.
    pub(crate) fn is_left_out(&self) -> bool {
        self.is_unread
            || self.handles().nth(1).is_some()
            || self.macros.iter().any(|call| call.unread_branches().is_some())
    }

    /// What each parameter of type `Step` is called.
    pub(crate) fn handles(&self) -> impl Iterator<Item = Ident> {
        self.parameters().filter_map(step_handle)
    }

    /// The parameters, in order.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &PatType> {
        parameters(&self.function)
    }
}

struct Unreadable {
    /// Whether this is in the first type of the `Result`, and not in the error, of which the messages are
    /// stored; `None` around both.
    is_output: Option<bool>,
    found: Vec<Type>,
}

impl<'ast> Visit<'ast> for Unreadable {
    fn visit_angle_bracketed_generic_arguments(
        &mut self,
        arguments: &'ast AngleBracketedGenericArguments,
    ) {
        let outer = self.is_output;
        for (index, argument) in arguments.args.iter().enumerate() {
            self.is_output = outer.or(Some(index == 0));
            self.visit_generic_argument(argument);
        }
        self.is_output = outer;
    }

    fn visit_type(&mut self, ty: &'ast Type) {
        match ty {
            Type::ImplTrait(_) => self.found.push(ty.clone()),
            Type::Reference(_) if self.is_output == Some(true) => self.found.push(ty.clone()),
            other => visit::visit_type(self, other),
        }
    }
}

/// The steps that have a state of their own, by their place among all, and what tells each from the
/// others.
fn states(steps: &[Step]) -> impl Iterator<Item = (usize, String)> {
    let mut keys = BTreeSet::new();
    steps.iter().enumerate().filter_map(move |(index, step)| {
        let key = step.key()?;
        keys.insert(key.clone()).then_some((index, key))
    })
}

fn parameters(function: &ItemFn) -> impl Iterator<Item = &PatType> {
    function.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(parameter) => Some(parameter),
        FnArg::Receiver(_) => None,
    })
}

/// The name of a parameter of type `Step`. No type is known to a macro; the name of this one is
/// taken at its word, and rustc says so if it is another's.
pub(crate) fn step_handle(parameter: &PatType) -> Option<Ident> {
    let ty = match &*parameter.ty {
        Type::Reference(reference) => &*reference.elem,
        ty => ty,
    };
    let Type::Path(ty) = ty else { return None };
    let is_step = ty.path.segments.last().is_some_and(|name| name.ident == "Step");
    match &*parameter.pat {
        Pat::Ident(pattern) if is_step => Some(pattern.ident.clone()),
        _ => None,
    }
}

impl Step {
    /// What is waited for, unless that is known in the body alone or by the caller of a helper, which
    /// was reported.
    pub(crate) fn known_event(&self, workflow: &WorkflowModel) -> Option<&Type> {
        let is_known =
            |event: &&Type| !workflow.is_generic_over(event) && workflow.own_item(event).is_none();
        self.event.as_ref().filter(is_known)
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse_quote;

    use super::*;

    fn model(arguments: proc_macro2::TokenStream, item: proc_macro2::TokenStream) -> WorkflowModel {
        let problems = Problems::new();
        let syntax = WorkflowSyntax::parse("workflow", arguments, item, &problems);
        let syntax = syntax.expect("it is a function");
        let model = WorkflowModel::new(syntax, &problems);
        let messages: Vec<_> = problems.read().iter().map(ToString::to_string).collect();
        assert!(messages.is_empty(), "{messages:?}");
        model
    }

    #[test]
    fn the_id_is_the_name_in_kebab_case_unless_given() {
        let item = quote!(
            async fn on_signup(event: E) {}
        );
        assert_eq!(model(quote!(), item.clone()).id.value(), "on-signup");
        assert_eq!(model(quote!(id = "welcome"), item).id.value(), "welcome");
    }

    #[test]
    fn the_step_handle_is_known_by_its_type() {
        let item = quote!(
            async fn on_signup(event: E, s: indelible::Step) {
                s.run("greet", mail()).await
            }
        );
        let model = model(quote!(), item);
        assert_eq!(model.handle.map(|handle| handle.name.to_string()).as_deref(), Some("s"));
        assert_eq!(model.steps.len(), 1);
    }

    #[test]
    fn what_is_stored_borrows_nothing_whatever_the_error_does() {
        let unreadable = |output: Type| {
            let item = quote!(
                async fn on_signup(event: E) -> #output {}
            );
            let found = model(quote!(), item).unreadable_output();
            found.iter().map(|ty| quote!(#ty).to_string()).collect::<Vec<_>>()
        };
        assert!(unreadable(parse_quote!(Result<Vec<u32>, ParseError<&'static str>>)).is_empty());
        assert_eq!(unreadable(parse_quote!(Result<(u32, Vec<&str>), Failure>)), ["& str"]);
        assert_eq!(unreadable(parse_quote!(Result<u32, impl Error>)), ["impl Error"]);
    }
}
