use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprAwait, ExprLit, ExprMethodCall, Ident, Item, Lit, LitStr, Macro, Path,
    PathArguments,
};

use crate::parse::{MacroArguments, concurrency, to_kebab_case, variant_name};

/// The methods of `Step` that are durable operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Run,
    Sleep,
    SleepUntil,
    SendEvent,
    Uuid,
    Random,
    /// No method: the call of a helper under `#[durable]`.
    Call,
}

impl Method {
    fn of(name: &Ident) -> Option<Self> {
        Some(match name.to_string().as_str() {
            "run" => Self::Run,
            "sleep" => Self::Sleep,
            "sleep_until" => Self::SleepUntil,
            "send_event" => Self::SendEvent,
            "uuid" => Self::Uuid,
            "random" => Self::Random,
            _ => return None,
        })
    }

    /// How many arguments it takes, the id among them.
    fn arguments(self) -> usize {
        match self {
            Self::Run | Self::Sleep | Self::SleepUntil | Self::SendEvent => 2,
            Self::Uuid | Self::Random => 1,
            Self::Call => 0,
        }
    }

    /// Whether it does nothing until it is awaited.
    pub(crate) fn is_awaited(self) -> bool {
        !matches!(self, Self::Uuid | Self::Random)
    }

    /// The `StepKind` that the runtime knows it as.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Run => "Run",
            Self::Sleep | Self::SleepUntil => "Sleep",
            Self::SendEvent => "SendEvent",
            Self::Uuid | Self::Random => "Derive",
            Self::Call => "Helper",
        }
    }
}

/// One durable operation as it stands in a body.
pub(crate) struct Step {
    pub(crate) method: Method,
    /// The method's name, as it stands in the source.
    pub(crate) name: Ident,
    pub(crate) id: StepId,
    /// What `run` does: ordinary code, apart from the body.
    pub(crate) attempt: Option<Expr>,
    /// The helper that is called.
    pub(crate) helper: Option<Path>,
}

impl Step {
    pub(crate) fn line(&self) -> u32 {
        line(self.name.span())
    }

    /// What to call it in a message.
    pub(crate) fn title(&self) -> String {
        match &self.id {
            StepId::Literal(id) => format!("`{}`", id.value()),
            _ => format!("on line {}", self.line()),
        }
    }
}

/// The name under which a helper's states are kept: `notify_owner` gives `notify-owner`.
pub(crate) fn helper_id(name: &Ident) -> String {
    to_kebab_case(name.to_string().trim_start_matches("r#"))
}

/// What a `macro_rules!` macro was given comes in invisible groups.
fn ungrouped(expression: &Expr) -> &Expr {
    match expression {
        Expr::Group(group) => ungrouped(&group.expr),
        other => other,
    }
}

/// The line on which a span begins.
pub(crate) fn line(span: Span) -> u32 {
    span.start().line.try_into().unwrap_or(u32::MAX)
}

/// What stands where a step's id belongs.
#[derive(Clone)]
pub(crate) enum StepId {
    Literal(LitStr),
    Other(Box<Expr>),
    /// The call has an argument less than it needs, and none is an id.
    Missing(Span),
}

impl StepId {
    /// The enum variant of the step's state, if it has one.
    pub(crate) fn variant(&self) -> Option<Ident> {
        let Self::Literal(literal) = self else { return None };
        let name = variant_name(&literal.value());
        syn::parse_str(&name).ok().map(|mut ident: Ident| {
            ident.set_span(literal.span());
            ident
        })
    }
}

impl Step {
    /// Reads a method call as a durable operation on the handle: `step.run("id", ..)`.
    pub(crate) fn of(call: &ExprMethodCall, handle: &Ident) -> Option<Self> {
        let Expr::Path(receiver) = ungrouped(&call.receiver) else { return None };
        if !receiver.path.is_ident(handle) {
            return None;
        }
        let method = Method::of(&call.method)?;
        let id = match call.args.first().map(ungrouped) {
            Some(Expr::Lit(ExprLit { lit: Lit::Str(literal), .. })) => {
                StepId::Literal(literal.clone())
            }
            Some(other) if call.args.len() >= method.arguments() => {
                StepId::Other(Box::new(other.clone()))
            }
            _ => StepId::Missing(call.method.span()),
        };
        let before = usize::from(!matches!(id, StepId::Missing(_)));
        let attempt = call.args.get(before).filter(|_| method == Method::Run).cloned();
        Some(Self { method, name: call.method.clone(), id, attempt, helper: None })
    }

    /// Reads what is awaited as a helper's call: a function that is given the handle.
    pub(crate) fn of_call(awaited: &Expr, handle: &Ident) -> Option<Self> {
        let Expr::Call(call) = awaited else { return None };
        let Expr::Path(function) = &*call.func else { return None };
        let is_given_the_handle = call.args.iter().any(|argument| {
            let argument = match argument {
                Expr::Reference(reference) => &*reference.expr,
                argument => argument,
            };
            matches!(argument, Expr::Path(path) if path.path.is_ident(handle))
        });
        let name = &function.path.segments.last()?.ident;
        is_given_the_handle.then(|| {
            let mut helper = function.path.clone();
            // The graph is the same for all its types.
            if let Some(last) = helper.segments.last_mut() {
                last.arguments = PathArguments::None;
            }
            Self {
                method: Method::Call,
                name: name.clone(),
                id: StepId::Literal(LitStr::new(&helper_id(name), name.span())),
                attempt: None,
                helper: Some(helper),
            }
        })
    }

    /// What tells its state from the others of the body: its id, or where a helper is called.
    pub(crate) fn key(&self) -> Option<String> {
        let StepId::Literal(id) = &self.id else { return None };
        let place = self.name.span().start();
        Some(match self.method {
            Method::Call => format!("{} {}:{}", id.value(), place.line, place.column),
            _ => id.value(),
        })
    }

    /// The step at the root of a chain of method calls: of `step.run(..).retries(2).timeout(..)`,
    /// the `step.run(..)`.
    pub(crate) fn at_root_of(call: &ExprMethodCall, handle: &Ident) -> Option<Self> {
        Self::of(call, handle).or_else(|| match &*call.receiver {
            Expr::MethodCall(receiver) => Self::at_root_of(receiver, handle),
            _ => None,
        })
    }
}

/// The steps of a body, in the order of the source.
pub(crate) fn steps(body: &Block, handle: &Ident) -> Vec<Step> {
    let mut found = Steps { handle, steps: Vec::new() };
    found.visit_block(body);
    found.steps
}

/// The steps in an expression, in the order of the source.
pub(crate) fn steps_in(expression: &Expr, handle: &Ident) -> Vec<Step> {
    let mut found = Steps { handle, steps: Vec::new() };
    found.visit_expr(expression);
    found.steps
}

struct Steps<'h> {
    handle: &'h Ident,
    steps: Vec<Step>,
}

impl<'ast> Visit<'ast> for Steps<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.steps.extend(Step::of(call, self.handle));
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(arguments) = MacroArguments::parse(call) {
            let arguments = arguments.expressions().into_iter();
            if concurrency(call).is_some() {
                arguments.for_each(|branch| self.awaited(branch));
            } else {
                arguments.for_each(|argument| self.visit_expr(argument));
            }
        }
    }

    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        self.awaited(&awaited.base);
    }

    /// An item in a body has nothing to do with the run.
    fn visit_item(&mut self, _: &'ast Item) {}
}

impl Steps<'_> {
    fn awaited(&mut self, expression: &Expr) {
        self.visit_expr(expression);
        self.steps.extend(Step::of_call(expression, self.handle));
    }
}

#[cfg(test)]
mod tests {
    use quote::format_ident;
    use syn::parse_quote;

    use super::*;

    fn ids(body: Block) -> Vec<(Method, String)> {
        let steps = steps(&body, &format_ident!("step"));
        let ids = steps.into_iter().map(|step| match step.id {
            StepId::Literal(literal) => (step.method, literal.value()),
            StepId::Other(_) => (step.method, "other".to_owned()),
            StepId::Missing(_) => (step.method, "missing".to_owned()),
        });
        ids.collect()
    }

    #[test]
    fn steps_are_found_in_the_order_of_the_source() {
        let found = ids(parse_quote!({
            let ticket = step.run("fetch", desk.ticket(id)).retries(2).await?;
            if step.random("toss") > 0.5 {
                step.sleep("wait", "1s").await;
            }
            let name = format!("{}", step.run("name", desk.name()).await?);
            join!(step.run("left", a()), async { step.run("right", b()).await });
            step.run(name, c()).await?;
            step.uuid();
            other.run("not-a-step");
        }));
        let found: Vec<_> = found.iter().map(|(method, id)| (*method, id.as_str())).collect();
        assert_eq!(
            found,
            [
                (Method::Run, "fetch"),
                (Method::Random, "toss"),
                (Method::Sleep, "wait"),
                (Method::Run, "name"),
                (Method::Run, "left"),
                (Method::Run, "right"),
                (Method::Run, "other"),
                (Method::Uuid, "missing"),
            ]
        );
    }
}
