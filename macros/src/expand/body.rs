use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Expr, ExprCall, ExprLit, ExprMethodCall, Item, Lit, Macro, PatIdent, Stmt, Token, Type,
    parse_quote, parse_quote_spanned,
};

use super::attempt::Refused;
use super::results::named_error;
use super::runtime::constant;
use super::state::States;
use super::syntax::{durable, path, probed, seen};
use super::{attempt, concurrency, loops};
use crate::check;
use crate::model::{
    Backoff, CarriedLoop, Method, Misawaited, Step, StepId, WorkflowModel, awaited_event,
    hidden_step, is_restart, matched,
};
use crate::parse::{MacroArguments, concurrency as concurrency_of, parse_duration};
use crate::problem::Problems;

/// The body with its steps carrying their states, and each `.await` of anything else going through
/// `Durable`.
pub(super) fn rewrite(
    mut block: Block,
    workflow: &WorkflowModel,
    states: &States<'_>,
    problems: &Problems,
) -> Block {
    let mut rewrite = Rewrite {
        workflow,
        states,
        problems,
        mutable: if problems.is_empty() { Vec::new() } else { check::mutable(workflow, &block) },
        inside_step: false,
        is_handle_rebound: false,
        error: None,
    };
    rewrite.visit_block_mut(&mut block);
    // A probe may belong where nothing is rewritten; then the import is not used.
    if !(workflow.dropped_calls.is_empty() && workflow.orders.is_empty()) {
        let import = parse_quote! {
            #[allow(unused_imports)]
            use __private::Passes as _;
        };
        block.stmts.insert(0, import);
    }
    block
}

/// A constant backoff.
pub(super) fn backoff(backoff: &Backoff) -> TokenStream {
    let part = |part: &Option<(Duration, _)>, default: TokenStream| match part {
        Some((duration, _)) => constant(*duration),
        None => quote!(__private::Backoff::DEFAULT.#default),
    };
    let initial = part(&backoff.initial, quote!(initial));
    let max = part(&backoff.max, quote!(max));
    quote!(__private::Backoff::new(#initial, #max))
}

struct Rewrite<'m> {
    workflow: &'m WorkflowModel,
    states: &'m States<'m>,
    problems: &'m Problems,
    /// The variables that a step may have been refused to change.
    mutable: Vec<Ident>,
    /// What a step does is ordinary code: it is awaited as written.
    inside_step: bool,
    /// Whether a pattern so far binds the handle's name, so that it may mean anything.
    is_handle_rebound: bool,
    /// The error type that `retry_if` names of the step before it.
    error: Option<Type>,
}

impl VisitMut for Rewrite<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        self.mend(expression);
        // Asked as written: some methods are called by other names than a workflow writes.
        let is_durable = matches!(expression,
            Expr::Await(awaited) if self.is_durable_by_its_type(&awaited.base));
        match expression {
            // It was reported; this says nothing.
            Expr::MethodCall(call) if self.is_restart_of_a_helper(call) => {
                *expression = Expr::Verbatim(quote!(__private::refused()));
            }
            Expr::MethodCall(call) => self.method_call(call),
            Expr::Call(call) => self.function_call(call),
            Expr::Macro(call) => {
                if self.hides_a_step(&call.mac) {
                    // Of its type, where that is known, so that nothing is said of what is done with it.
                    if call.mac.path.segments.last().is_some_and(|name| name.ident == "json") {
                        call.mac.tokens = quote!(null);
                    } else {
                        *expression = Expr::Verbatim(quote!(__private::refused()));
                    }
                } else if let Some(joined) = self.call_macro(&mut call.mac) {
                    *expression = joined;
                }
            }
            _ => {
                if let Expr::ForLoop(each) = expression
                    && !self.inside_step
                    && self.asks_for_order(&Ident::new("for", each.for_token.span))
                {
                    let items = std::mem::replace(&mut *each.expr, Expr::PLACEHOLDER);
                    *each.expr = probed("Ordered", items);
                }
                let head = self.loop_head(expression);
                visit_mut::visit_expr_mut(self, expression);
                if let Some(head) = head {
                    loops::carry(expression, head);
                }
            }
        }
        // A step inside of another was reported; it is awaited like any, so that rustc has nothing to
        // add.
        if self.inside_step && !self.is_a_step(expression) {
            return;
        }
        match expression {
            Expr::Await(awaited) if !is_durable && !self.problems.are_known_of(&awaited.base) => {
                let operation = std::mem::replace(&mut *awaited.base, Expr::PLACEHOLDER);
                *awaited.base = durable(operation);
            }
            Expr::Async(block) => *expression = branch(block.async_token.span(), block),
            Expr::Call(call) if is_among(call, &self.workflow.closure_calls) => {
                *expression = branch(call.span(), call);
            }
            Expr::Call(call) if self.calls_a_helper(call) => {
                *expression = seen(std::mem::replace(expression, Expr::PLACEHOLDER));
            }
            Expr::Call(call) if self.drops_what_it_calls(call) => {
                let call = std::mem::replace(expression, Expr::PLACEHOLDER);
                *expression = probed("Dropped", call);
            }
            // The futures that it gives are branches each.
            Expr::MethodCall(call) if self.maps_to_futures(call) => {
                *expression = Expr::Verbatim(quote!(#call.map(__private::Branch)));
            }
            Expr::MethodCall(call) if self.asks_for_order(&call.method) => {
                let items = std::mem::replace(expression, Expr::PLACEHOLDER);
                *expression = probed("Ordered", items);
            }
            _ => {}
        }
    }

    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        let Stmt::Macro(call) = statement else {
            return visit_mut::visit_stmt_mut(self, statement);
        };
        if self.hides_a_step(&call.mac) {
            *statement = parse_quote!(__private::refused::<()>(););
        } else if let Some(joined) = self.call_macro(&mut call.mac) {
            *statement = Stmt::Expr(joined, call.semi_token);
        }
    }

    fn visit_pat_ident_mut(&mut self, pattern: &mut PatIdent) {
        self.is_handle_rebound |=
            self.workflow.handle.as_ref().is_some_and(|handle| handle.name == pattern.ident);
        visit_mut::visit_pat_ident_mut(self, pattern);
    }

    /// An item in a body has nothing to do with the run.
    fn visit_item_mut(&mut self, _: &mut Item) {}
}

impl Rewrite<'_> {
    /// Whether a call is among the states.
    fn calls_a_helper(&self, call: &ExprCall) -> bool {
        let helpers = self.workflow.steps.iter().filter(|step| step.helper.is_some());
        is_among(call, helpers.map(|step| &step.name))
    }

    /// Whether it is a `map` that an `async` closure is given to.
    fn maps_to_futures(&self, call: &ExprMethodCall) -> bool {
        let is_async = |it: &Expr| matches!(it, Expr::Closure(it) if it.asyncness.is_some());
        (call.method == "map" && call.args.iter().any(is_async))
            || self.workflow.closure_maps.iter().any(|map| is_same(map, &call.method))
    }

    /// Whether rustc is asked there for the order of something.
    fn asks_for_order(&self, place: &Ident) -> bool {
        self.workflow.orders.iter().any(|known| is_same(known, place))
    }

    /// Whether nothing becomes of what a call gives that may be a helper's.
    fn drops_what_it_calls(&self, call: &ExprCall) -> bool {
        is_among(call, &self.workflow.dropped_calls) && !self.workflow.allows("used_outcomes", call)
    }

    /// Whether steps were refused for where they stand: in a macro whose tokens are no expressions.
    fn hides_a_step(&self, call: &Macro) -> bool {
        let Some(handle) = &self.workflow.handle else { return false };
        !self.inside_step
            && !self.problems.is_empty()
            && MacroArguments::parse(call).is_none()
            && hidden_step(call, handle).is_some()
    }

    /// Whether an operation is one of the handle's own, with nothing behind it. To go through `Durable`
    /// would prove nothing more of it, and would cost rustc as much as a call of a generic function.
    fn is_durable_by_its_type(&self, operation: &Expr) -> bool {
        !self.is_handle_rebound
            && matches!((operation, &self.workflow.handle), (Expr::MethodCall(call), Some(handle))
                if handle.has_one_name() && Method::of(call, handle).is_some_and(Method::is_awaited))
    }

    /// What is awaited and is no operation was reported, and so was what is not awaited and is one; this
    /// says nothing.
    fn mend(&self, expression: &mut Expr) {
        let (false, Some(handle)) = (self.problems.is_empty(), &self.workflow.handle) else {
            return;
        };
        match expression {
            Expr::Await(awaited) => match Misawaited::of(&awaited.base, handle) {
                Some(Misawaited::Joined(_)) if self.inside_step => {}
                Some(Misawaited::Value(_) | Misawaited::Joined(_)) => {
                    *expression = (*awaited.base).clone()
                }
                Some(Misawaited::Boxed(_, step)) => *awaited.base = step.clone(),
                None => {}
            },
            Expr::Try(tried)
                if matches!(&*tried.expr, Expr::MethodCall(chain)
                    if Method::at_root_of(chain, handle).is_some_and(Method::is_awaited)) =>
            {
                let step = &tried.expr;
                *tried.expr = parse_quote!(#step.await);
            }
            _ => {}
        }
    }

    /// Whether an expression awaits a step.
    fn is_a_step(&self, expression: &Expr) -> bool {
        let (Some(handle), Expr::Await(awaited)) = (&self.workflow.handle, expression) else {
            return false;
        };
        matches!(&*awaited.base, Expr::MethodCall(call) if Method::at_root_of(call, handle).is_some())
    }

    fn is_restart_of_a_helper(&self, call: &ExprMethodCall) -> bool {
        self.workflow.is_helper
            && self.workflow.handle.as_ref().is_some_and(|handle| is_restart(call, handle))
    }

    /// To some functions an `async` block is a future, and no branch of the body: `Box::pin(async { .. })`.
    fn function_call(&mut self, call: &mut ExprCall) {
        self.visit_expr_mut(&mut call.func);
        // What is given to a function that was reported is nobody's concern any more.
        let outer = self.inside_step;
        self.inside_step |= takes_futures(&call.func) && self.problems.are_known_of(&call.func);
        for argument in &mut call.args {
            match argument {
                Expr::Async(block) if takes_futures(&call.func) => {
                    self.visit_block_mut(&mut block.block);
                }
                argument => self.visit_expr_mut(argument),
            }
        }
        self.inside_step = outer;
    }

    fn method_call(&mut self, call: &mut ExprMethodCall) {
        let Some(handle) = &self.workflow.handle else {
            return visit_mut::visit_expr_method_call_mut(self, call);
        };
        if is_restart(call, handle) {
            // Spanned so that rustc underlines no more than the call.
            let mut name = self.workflow.name().clone();
            name.set_span(call.method.span());
            call.turbofish = Some(parse_quote_spanned!(name.span()=> ::<#name, _>));
            visit_mut::visit_expr_method_call_mut(self, call);
        } else if let Some(method) = Method::of(call, handle) {
            self.step(call, method);
        } else if Method::at_root_of(call, handle).is_some() {
            if call.method == "timeout"
                && let Some(duration) = call.args.first_mut()
            {
                self.duration(duration);
            } else if call.method == "backoff" && is_written_out(&call.args) {
                let written = if call.args.iter().any(|it| matched(it).is_some()) {
                    Backoff::new(call.args.to_token_stream(), self.problems)
                } else {
                    self.problems.report(Backoff::unnamed(&call.method));
                    Backoff::default()
                };
                check::grows(&written, self.problems);
                call.args = [Expr::Verbatim(backoff(&written))].into_iter().collect();
            } else if call.method == "retry_if" {
                self.error = call.args.first().and_then(named_error);
            }
            let is_untyped = is_untyped_wait(call);
            visit_mut::visit_expr_method_call_mut(self, call);
            if call.method == "matching" {
                if is_untyped { takes_anything(call) } else { each_field(call) }
            } else if call.method == "undo" {
                let is_refused = |undo: &Expr| !matches!(undo, Expr::Path(_));
                // It was reported; this says nothing, and undoes anything.
                if let Some(undo) = call.args.first_mut().filter(|undo| is_refused(undo)) {
                    *undo = Expr::Verbatim(quote!(__private::refused_undo));
                }
            }
        } else {
            let outer = self.inside_step;
            self.inside_step |= self.problems.are_known_of(&call.method);
            visit_mut::visit_expr_method_call_mut(self, call);
            self.inside_step = outer;
            // It stands apart from its wait, which was reported.
            if call.method == "matching" && call.args.iter().any(|it| matched(it).is_some()) {
                each_field(call);
            }
        }
    }

    /// The head of a carried loop.
    fn loop_head(&self, expression: &Expr) -> Option<loops::Head> {
        let carried = CarriedLoop::of(expression)?;
        let handle = self.workflow.handle.as_ref()?.name.clone();
        let key = carried.key()?;
        let step = self.workflow.steps.iter().find(|step| step.key().as_ref() == Some(&key))?;
        let (states, variant) = (&self.states.name, step.id.variant()?);
        let variables = carried.variables().unwrap_or_default();
        Some(loops::Head { handle, state: quote!(#states::#variant), variables })
    }

    /// What has to be passed to a step that outlives what is bound around it.
    fn passing(&self, name: &Ident, id: &StepId) -> &[Ident] {
        // All that a repetition in a `macro_rules!` writes has one position.
        let same = |step: &&Step| {
            !step.passing.is_empty()
                && step.literal_id() == id.text()
                && step.name.span().start() == name.span().start()
        };
        self.workflow.steps.iter().find(same).map_or(&[], |step| &step.passing)
    }

    /// Puts the state in the place of the id, and makes what the step does lazy and repeatable.
    fn step(&mut self, call: &mut ExprMethodCall, method: Method) {
        let id = StepId::of(call, method);
        // Another type's method takes what its author wrote.
        let may_catch = !self.is_handle_rebound;
        if method == Method::WaitForEvent && awaited_event(call).is_none() {
            call.turbofish = Some(parse_quote!(::<__private::NoEvent>));
            call.args = call.args.iter().take(1).cloned().collect();
        }
        if let StepId::Missing(_) = id {
            call.args.insert(0, Expr::Verbatim(quote!(())));
            // Nor does it say what it is to do.
            if call.args.len() < 2 {
                call.args.extend(nothing(method));
            }
        }
        let mut arguments = call.args.iter_mut();
        if let Some(first) = arguments.next() {
            if id.text().is_none() {
                self.visit_expr_mut(first);
            }
            *first = self.state(&id, first);
        }
        if let Some(argument) = arguments.next() {
            match method {
                Method::Run => {
                    let error = self.error.take();
                    let refused = self.rewrite_attempt(argument);
                    let passing = self.passing(&call.method, &id);
                    if passing.is_empty() || refused.is_any() {
                        if attempt::attempt(argument, &refused, error, may_catch) {
                            call.method = Ident::new("run_caught", call.method.span());
                        }
                    } else {
                        call.method = Ident::new("run_with", call.method.span());
                        *argument = attempt::attempt_with(passing, argument, error);
                    }
                }
                Method::Transaction => {
                    let refused = self.rewrite_attempt(argument).is_any();
                    let passing = if refused { &[] } else { self.passing(&call.method, &id) };
                    let (work, catches) = attempt::work(passing, refused, argument, may_catch);
                    let method = match (passing, catches) {
                        ([], false) => "transaction",
                        ([], true) => "transaction_caught",
                        _ => "transaction_with",
                    };
                    call.method = Ident::new(method, call.method.span());
                    *argument = work;
                }
                Method::Sleep => {
                    self.duration(argument);
                    self.visit_expr_mut(argument);
                }
                _ => self.visit_expr_mut(argument),
            }
        }
        arguments.for_each(|argument| self.visit_expr_mut(argument));
    }

    /// Rewrites what a step does; gives what was refused about it.
    fn rewrite_attempt(&mut self, argument: &mut Expr) -> Refused {
        let refused = Refused::of(argument, &self.mutable, self.problems);
        let outer = std::mem::replace(&mut self.inside_step, true);
        self.visit_expr_mut(argument);
        self.inside_step = outer;
        refused
    }

    fn state(&self, id: &StepId, written: &Expr) -> Expr {
        match id.variant() {
            Some(variant) => {
                let mut states = self.states.name.clone();
                states.set_span(variant.span());
                path([states, variant])
            }
            // It was reported; what stands there is used, so that rustc has nothing to add.
            None => Expr::Verbatim(quote!(__private::NoState::in_place_of(&(#written)))),
        }
    }

    /// A literal duration becomes a constant.
    fn duration(&self, argument: &mut Expr) {
        if let Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) = argument {
            let duration = self.problems.ok(parse_duration(literal)).unwrap_or_default();
            *argument = Expr::Verbatim(constant(duration));
        }
    }

    /// Rewrites the arguments of a macro; one that awaits them becomes an expression.
    fn call_macro(&mut self, call: &mut Macro) -> Option<Expr> {
        // Nothing in it changes: that a step stood there would have been reported.
        if self.inside_step && self.problems.is_empty() {
            return None;
        }
        let mut arguments = MacroArguments::parse(call)?;
        arguments.expressions_mut().into_iter().for_each(|argument| self.visit_expr_mut(argument));
        if !self.inside_step
            && let Some(kind) = concurrency_of(call)
        {
            return Some(concurrency::expand(kind, call, &arguments));
        }
        // Tokens that did not change keep the form that the macro was given.
        let rewritten = arguments.to_token_stream();
        if rewritten.to_string() != call.tokens.to_string() {
            call.tokens = rewritten;
        }
        None
    }
}

/// Whether a name is the other one, at its place in the source.
fn is_same(name: &Ident, other: &Ident) -> bool {
    name == other && name.span().start() == other.span().start()
}

/// What stands for a step's second argument where both were left out, which was reported of the first.
fn nothing(method: Method) -> Option<Expr> {
    match method {
        Method::Run => Some(parse_quote!(async {
            __private::refused::<__private::Result<(), __private::Failure>>()
        })),
        Method::Sleep | Method::SleepUntil => Some(parse_quote!(__private::refused())),
        _ => None,
    }
}

/// Whether a function takes a future as such: `Box::pin`, or one that a body may not call.
fn takes_futures(function: &Expr) -> bool {
    let Expr::Path(function) = function else { return false };
    let name = function.path.segments.last().map(|name| &name.ident);
    name.is_some_and(|name| ["pin", "spawn", "spawn_local", "block_on"].iter().any(|it| name == it))
}

/// Whether a call is one of those, by the names of what is called.
fn is_among<'n>(call: &ExprCall, names: impl IntoIterator<Item = &'n Ident>) -> bool {
    let Expr::Path(function) = &*call.func else { return false };
    let Some(name) = function.path.segments.last() else { return false };
    names.into_iter().any(|known| is_same(known, &name.ident))
}

/// An `async` block or closure in a body awaits nothing but durable operations, so it is one.
fn branch(span: Span, block: &impl ToTokens) -> Expr {
    Expr::Verbatim(quote_spanned!(span=> __private::Branch(#block)))
}

/// Whether a backoff is written in its parts, or in what was meant as such, and is no value of its type.
fn is_written_out(arguments: &Punctuated<Expr, Token![,]>) -> bool {
    let is_a_value = |it: &Expr| matched(it).is_none() && !matches!(it, Expr::Lit(_));
    arguments.len() != 1 || !arguments.iter().all(is_a_value)
}

/// `.matching(a = x, b = y)` becomes `.on_field(|f| f.a).equals(x).on_field(|f| f.b).equals(y)`. What is no
/// `field = value` was reported.
fn each_field(call: &mut ExprMethodCall) {
    let fields = Ident::new("__fields", Span::mixed_site());
    let mut receiver = call.receiver.to_token_stream();
    let [on_field, equals] =
        ["on_field", "equals"].map(|method| Ident::new(method, call.method.span()));
    let mut fields: Vec<_> = call
        .args
        .iter()
        .filter_map(matched)
        .map(|(field, value)| (quote!(#on_field(|#fields| #fields.#field)), value))
        .collect();
    let Some((last, value)) = fields.pop() else { return takes_anything(call) };
    for (field, value) in fields {
        receiver = quote!(#receiver.#field.#equals(#value));
    }
    let value = value.clone();
    *call.receiver = Expr::Verbatim(quote!(#receiver.#last));
    call.method = equals;
    call.args = [value].into_iter().collect();
}

/// What was reported of a condition: this says nothing.
fn takes_anything(call: &mut ExprMethodCall) {
    call.method = Ident::new("filter", call.method.span());
    call.args = [Expr::Verbatim(quote!(|_| true))].into_iter().collect();
}

/// Whether a chain waits for nothing that is known.
fn is_untyped_wait(chain: &ExprMethodCall) -> bool {
    match &*chain.receiver {
        Expr::MethodCall(receiver) => is_untyped_wait(receiver),
        _ => chain.method == "wait_for_event" && awaited_event(chain).is_none(),
    }
}
