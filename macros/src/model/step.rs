use proc_macro2::Span;
use quote::ToTokens as _;
use syn::{
    Expr, ExprCall, ExprClosure, ExprLit, ExprMethodCall, GenericArgument, Ident, Lit, LitStr,
    Path, PathArguments, Type,
};

use super::handle::{Handle, is_handle};
use super::occurrences::occurrences;
use super::ungrouped::ungrouped;
use crate::parse::{to_kebab_case, variant_name};

/// The methods of `Step` that are durable operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Run,
    Transaction,
    Sleep,
    SleepUntil,
    SendEvent,
    SendEvents,
    WaitForEvent,
    Invoke,
    Uuid,
    Random,
    /// No method: the call of a helper under `#[durable]`.
    Call,
    /// No method: the head of a loop under `#[carried]`.
    Carried,
}

impl Method {
    /// The durable operation that a call is, if it is one on the handle.
    pub(crate) fn of(call: &ExprMethodCall, handle: &Handle) -> Option<Self> {
        if handle.is(ungrouped(&call.receiver)) { Self::named(&call.method) } else { None }
    }

    /// The one at the root of a chain of method calls: of `step.run(..).retries(2).timeout(..)`, that
    /// of `step.run(..)`.
    pub(crate) fn at_root_of(call: &ExprMethodCall, handle: &Handle) -> Option<Self> {
        match &*call.receiver {
            Expr::MethodCall(receiver) => Self::at_root_of(receiver, handle),
            _ => Self::of(call, handle),
        }
    }

    pub(super) fn named(name: &Ident) -> Option<Self> {
        Some(match name.to_string().as_str() {
            "run" => Self::Run,
            "transaction" => Self::Transaction,
            "sleep" => Self::Sleep,
            "sleep_until" => Self::SleepUntil,
            "send_event" => Self::SendEvent,
            "send_events" => Self::SendEvents,
            "wait_for_event" => Self::WaitForEvent,
            "invoke" => Self::Invoke,
            "uuid" => Self::Uuid,
            "random" => Self::Random,
            _ => return None,
        })
    }

    /// How many arguments it takes, the id among them.
    fn arguments(self) -> usize {
        match self {
            Self::Invoke => 3,
            Self::Run
            | Self::Transaction
            | Self::Sleep
            | Self::SleepUntil
            | Self::SendEvent
            | Self::SendEvents => 2,
            Self::WaitForEvent | Self::Uuid | Self::Random => 1,
            Self::Call | Self::Carried => 0,
        }
    }

    /// Whether it is given ordinary code to run, apart from the body.
    pub(crate) fn runs_code(self) -> bool {
        matches!(self, Self::Run | Self::Transaction)
    }

    /// Whether it does nothing until it is awaited.
    pub(crate) fn is_awaited(self) -> bool {
        !matches!(self, Self::Uuid | Self::Random | Self::Carried)
    }

    /// The kind that the runtime knows it as.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Transaction => "transaction",
            Self::Sleep | Self::SleepUntil => "sleep",
            Self::SendEvent | Self::SendEvents => "send_event",
            Self::WaitForEvent => "wait_for_event",
            Self::Invoke => "invoke",
            Self::Carried => "carried",
            Self::Uuid | Self::Random => "derive",
            Self::Call => "helper",
        }
    }
}

/// One durable operation as it stands in a body.
pub(crate) struct Step {
    pub(crate) method: Method,
    /// The method's name, as it stands in the source.
    pub(crate) name: Ident,
    pub(crate) id: StepId,
    /// What `run` or `transaction` does: ordinary code, apart from the body.
    pub(crate) attempt: Option<Expr>,
    /// The helper that is called.
    pub(crate) helper: Option<Path>,
    /// What is waited for.
    pub(crate) event: Option<Type>,
    /// A string where an event's type belongs.
    pub(crate) untyped: Option<LitStr>,
    /// The calls behind it: `.retries(2).key(id)`.
    pub(crate) options: Vec<StepOption>,
    /// Others of its id may be in progress at the same time.
    pub(crate) is_concurrent: bool,
    /// What is bound anew for each time that it is built, and may be gone when it is awaited.
    pub(crate) passing: Vec<Ident>,
}

/// A call behind a step.
#[derive(Clone)]
pub(crate) struct StepOption {
    pub(crate) name: Ident,
    pub(crate) arguments: Vec<Expr>,
}

impl Step {
    pub(crate) fn line(&self) -> u32 {
        line(self.name.span())
    }

    pub(super) fn new(method: Method, name: Ident, id: StepId) -> Self {
        Self {
            method,
            name,
            id,
            attempt: None,
            helper: None,
            event: None,
            untyped: None,
            options: Vec::new(),
            is_concurrent: false,
            passing: Vec::new(),
        }
    }

    /// The arguments of the options of a name.
    pub(crate) fn arguments_of(&self, name: &str) -> impl Iterator<Item = &Expr> {
        let options = self.options.iter().filter(move |option| option.name == name);
        options.flat_map(|option| &option.arguments)
    }

    /// The function that undoes it.
    pub(crate) fn undo(&self) -> Option<&Expr> {
        self.arguments_of("undo").find(|undo| matches!(undo, Expr::Path(_)))
    }

    /// Whether it has a name of its own among those of its id.
    pub(crate) fn has_a_key(&self) -> bool {
        self.options.iter().any(|option| option.name == "key")
    }

    /// What is given to it of what is bound around it, and may be gone when it is awaited.
    pub(super) fn pass(&mut self, bound: &[Ident]) {
        let Some(attempt) = &self.attempt else { return };
        let attempt = attempt.to_token_stream();
        for name in bound {
            if !self.passing.contains(name) && occurrences(&attempt, name) > 0 {
                self.passing.push(name.clone());
            }
        }
    }

    /// The fields that a wait compares, with what it compares them to.
    pub(crate) fn matched(&self) -> impl Iterator<Item = (&Ident, &Expr)> {
        self.arguments_of("matching").filter_map(matched)
    }

    /// Its id, if it has one.
    pub(crate) fn literal_id(&self) -> Option<&str> {
        self.id.text()
    }

    /// What to call it in a message.
    /// What a message is about: "the step `greet`", "the helper `notify`".
    pub(crate) fn subject(&self) -> String {
        let kind = if self.method == Method::Call { "helper" } else { "step" };
        format!("the {kind} {}", self.title())
    }

    pub(crate) fn title(&self) -> String {
        match &self.id {
            StepId::Literal(_, id) => format!("`{id}`"),
            _ => format!("on line {}", self.line()),
        }
    }
}

/// The id that a function has from its name: `notify_owner` gives `notify-owner`.
pub(crate) fn id_of(name: &Ident) -> String {
    to_kebab_case(name.to_string().trim_start_matches("r#"))
}

/// The line on which a span begins.
pub(crate) fn line(span: Span) -> u32 {
    span.start().line.try_into().unwrap_or(u32::MAX)
}

/// What stands where a step's id belongs.
#[derive(Clone)]
pub(crate) enum StepId {
    /// As it stands in the source, and what it says.
    Literal(LitStr, String),
    Other(Box<Expr>),
    /// The call has an argument less than it needs, and none is an id.
    Missing(Span),
}

impl StepId {
    /// The enum variant of the step's state, if it has one.
    pub(crate) fn variant(&self) -> Option<Ident> {
        let Self::Literal(literal, id) = self else { return None };
        let name = variant_name(id);
        // Of the keywords, only this one is in camel case.
        let is_a_name = name.starts_with(|first: char| first.is_ascii_alphabetic());
        (is_a_name && name != "Self").then(|| Ident::new(&name, literal.span()))
    }

    /// What a literal says.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Literal(_, id) => Some(id),
            _ => None,
        }
    }

    /// How many of the call's arguments it is.
    pub(super) fn arguments(&self) -> usize {
        usize::from(!matches!(self, Self::Missing(_)))
    }

    /// What stands where the id of a call belongs.
    pub(crate) fn of(call: &ExprMethodCall, method: Method) -> Self {
        match call.args.first().map(ungrouped) {
            Some(Expr::Lit(ExprLit { lit: Lit::Str(literal), .. })) => {
                Self::literal(literal.clone())
            }
            Some(other) if call.args.len() >= method.arguments() => {
                Self::Other(Box::new(other.clone()))
            }
            _ => Self::Missing(call.method.span()),
        }
    }

    /// The id that a literal gives.
    pub(super) fn literal(literal: LitStr) -> Self {
        let written = literal.token().to_string();
        let unquoted = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        // `value` goes through each letter, where most ids are what is written.
        let id = match unquoted {
            Some(plain) if !plain.contains('\\') => plain.to_owned(),
            _ => literal.value(),
        };
        Self::Literal(literal, id)
    }
}

impl Step {
    /// Reads a method call as a durable operation on the handle: `step.run("id", ..)`.
    pub(crate) fn of(call: &ExprMethodCall, handle: &Handle) -> Option<Self> {
        let method = Method::of(call, handle)?;
        let id = StepId::of(call, method);
        let second = call.args.get(id.arguments());
        let mut step = Self::new(method, call.method.clone(), id);
        match method {
            Method::Run | Method::Transaction => step.attempt = second.cloned(),
            Method::WaitForEvent => {
                step.event = awaited_event(call).cloned();
                step.untyped = match first_type(call) {
                    Some(GenericArgument::Const(name)) => literal(name),
                    _ => second.and_then(literal),
                };
            }
            _ => {}
        }
        Some(step)
    }

    /// Reads a call as a helper's: of a function that is given the handle.
    pub(crate) fn of_call(call: &ExprCall, handle: &Handle) -> Option<Self> {
        let Expr::Path(function) = &*call.func else { return None };
        let is_given_the_handle = call.args.iter().any(|argument| is_handle(argument, handle));
        let name = &function.path.segments.last()?.ident;
        is_given_the_handle.then(|| {
            let mut helper = function.path.clone();
            // The graph is the same for all its types.
            if let Some(last) = helper.segments.last_mut() {
                last.arguments = PathArguments::None;
            }
            let id = StepId::literal(LitStr::new(&id_of(name), name.span()));
            Self { helper: Some(helper), ..Self::new(Method::Call, name.clone(), id) }
        })
    }

    /// What tells its state from the others of the body: its id, or where a helper is called.
    pub(crate) fn key(&self) -> Option<String> {
        let id = self.literal_id()?;
        let place = || self.name.span().start();
        Some(match self.method {
            Method::Call => format!("{id} {}:{}", place().line, place().column),
            Method::Carried => format!("carried {}:{}", place().line, place().column),
            _ => id.to_owned(),
        })
    }
}

impl StepOption {
    pub(super) fn of(call: &ExprMethodCall) -> Self {
        let arguments = call.args.iter().cloned().collect();
        Self { name: call.method.clone(), arguments }
    }
}

/// Reads what a transaction does: `async |tx| ..`.
pub(crate) fn transaction(work: &Expr) -> Option<&ExprClosure> {
    match ungrouped(work) {
        Expr::Closure(closure) if closure.asyncness.is_some() && closure.inputs.len() == 1 => {
            Some(closure)
        }
        _ => None,
    }
}

/// The same, to be rewritten.
pub(crate) fn transaction_mut(work: &mut Expr) -> Option<&mut ExprClosure> {
    transaction(work)?;
    match work {
        Expr::Group(group) => transaction_mut(&mut group.expr),
        Expr::Paren(group) => transaction_mut(&mut group.expr),
        Expr::Closure(closure) => Some(closure),
        _ => None,
    }
}

/// Reads `field = value`.
pub(crate) fn matched(argument: &Expr) -> Option<(&Ident, &Expr)> {
    let Expr::Assign(assignment) = argument else { return None };
    let Expr::Path(field) = &*assignment.left else { return None };
    Some((field.path.get_ident()?, &assignment.right))
}

fn literal(expression: &Expr) -> Option<LitStr> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) => Some(literal.clone()),
        _ => None,
    }
}

/// What stands first between the angle brackets of a call.
fn first_type(call: &ExprMethodCall) -> Option<&GenericArgument> {
    call.turbofish.as_ref()?.args.first()
}

/// The event that a wait names.
pub(crate) fn awaited_event(call: &ExprMethodCall) -> Option<&Type> {
    match first_type(call)? {
        GenericArgument::Type(Type::Infer(_)) => None,
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}
