use std::iter;

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    BinOp, Block, Expr, ExprBinary, ExprBlock, ExprIf, ExprMatch, ExprMethodCall, ExprReturn, Item,
    Label, Lifetime, Local, Macro, Pat, Stmt,
};

use super::flow::{Arm, Exit, Flow, Loop, RaceBranch};
use super::source::as_written;
use crate::model::{CarriedLoop, Handle, Method, Step, StepId, is_restart};
use crate::parse::{MacroArguments, concurrency};

/// Lowers a body to what it does to its run.
pub(super) fn lower(body: &Block, handle: Option<&Handle>, states: &[String]) -> Flow {
    let mut lowering = Lowering { handle, states, flows: Vec::new(), callables: 0 };
    lowering.flow(|lowering| {
        lowering.visit_block(body);
        if let Some(Stmt::Expr(last, None)) = body.stmts.last()
            && is_error(last)
        {
            lowering.flows.push(Flow::Exit(Exit::Return { failed: true }));
        }
    })
}

/// Goes through a body in the order in which it is evaluated.
struct Lowering<'h> {
    handle: Option<&'h Handle>,
    /// The keys of the body's states.
    states: &'h [String],
    /// What was found so far in the current sequence.
    flows: Vec<Flow>,
    /// How many closures and `async` blocks stand around; a `return` leaves only the innermost.
    callables: usize,
}

impl Lowering<'_> {
    /// What `visit` finds, as a flow of its own.
    fn flow(&mut self, visit: impl FnOnce(&mut Self)) -> Flow {
        let outer = std::mem::take(&mut self.flows);
        visit(self);
        Flow::sequence(std::mem::replace(&mut self.flows, outer))
    }

    fn arm(&mut self, condition: impl Into<String>, visit: impl FnOnce(&mut Self)) -> Arm {
        Arm { condition: condition.into(), flow: self.flow(visit) }
    }

    fn choice(&mut self, arms: Vec<Arm>) {
        self.flows.push(Flow::choice(arms));
    }

    fn match_arm(&mut self, value: &str, arm: &syn::Arm) -> MatchArm {
        let (mut pattern, mut guard) = (&arm.pat, None);
        if let Pat::Guard(guarded) = pattern {
            let flow = self.flow(|lowering| lowering.visit_expr(&guarded.guard));
            if flow != Flow::NOTHING {
                guard = Some((flow, text(&guarded.guard)));
                pattern = &guarded.pat;
            }
        }
        let condition = match pattern {
            Pat::Wild(_) => "else".to_owned(),
            pattern => format!("{value} is {}", text(pattern)),
        };
        MatchArm { condition, guard, body: self.flow(|lowering| lowering.visit_expr(&arm.body)) }
    }

    fn state(&mut self, key: Option<String>) {
        self.flows.extend(key.filter(|key| self.states.contains(key)).map(Flow::Step));
    }

    /// The head of a loop, at which a carried one is checkpointed.
    fn head(&mut self, expression: &Expr, visit: impl FnOnce(&mut Self)) -> Box<Flow> {
        let key = CarriedLoop::of(expression).and_then(|carried| carried.key());
        Box::new(self.flow(|lowering| {
            lowering.state(key);
            visit(lowering);
        }))
    }

    /// A closure's or an `async` block's body, which a `return` in it leaves.
    fn callable(&mut self, visit: impl FnOnce(&mut Self)) -> Flow {
        self.callables += 1;
        let label = self.callable_label();
        let body = self.flow(visit);
        self.callables -= 1;
        Flow::block(label, body)
    }

    /// No label in the source has a space in it.
    fn callable_label(&self) -> String {
        format!("callable {}", self.callables)
    }
}

/// An arm of a `match`.
struct MatchArm {
    condition: String,
    /// What its guard does, and its text, if there are steps in it.
    guard: Option<(Flow, String)>,
    body: Flow,
}

/// A `match` of which some guards have steps: one that does not hold leads to the next arm.
fn guarded(arms: Vec<MatchArm>) -> Flow {
    // No label in the source has a space in it.
    let done = "match arm";
    let (mut flows, last) = (Vec::new(), arms.len() - 1);
    for (index, MatchArm { condition, guard, body }) in arms.into_iter().enumerate() {
        let body = Flow::sequence(vec![body, Flow::Exit(Exit::Break(Some(done.to_owned())))]);
        let flow = match guard {
            Some((guard, holds)) => {
                let arms = vec![Arm { condition: holds, flow: body }, nothing_else()];
                Flow::sequence(vec![guard, Flow::choice(arms)])
            }
            None => body,
        };
        // One of the arms fits, so it is the last if no other was.
        let otherwise = (index < last).then(nothing_else);
        let fits = Arm { condition, flow };
        flows.push(Flow::choice(iter::once(fits).chain(otherwise).collect()));
    }
    Flow::block(done.to_owned(), Flow::sequence(flows))
}

fn nothing_else() -> Arm {
    Arm { condition: "else".to_owned(), flow: Flow::NOTHING }
}

fn text(tokens: &impl ToTokens) -> String {
    as_written(tokens.to_token_stream())
}

fn name(label: &Lifetime) -> String {
    label.ident.to_string()
}

fn label(label: &Option<Label>) -> Option<String> {
    label.as_ref().map(|label| name(&label.name))
}

fn is_error(value: &Expr) -> bool {
    matches!(value, Expr::Call(call)
        if matches!(&*call.func, Expr::Path(function) if function.path.is_ident("Err")))
}

impl<'ast> Visit<'ast> for Lowering<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::Async(block) => {
                let flow = self.callable(|lowering| lowering.visit_block(&block.block));
                self.flows.push(flow);
            }
            Expr::Closure(closure) => {
                let body = self.callable(|lowering| lowering.visit_expr(&closure.body));
                self.flows.push(Flow::looping(Loop {
                    label: None,
                    head: Box::new(Flow::NOTHING),
                    condition: Some("for each call".to_owned()),
                    body: Box::new(body),
                }));
            }
            Expr::Call(call) => {
                visit::visit_expr_call(self, call);
                let call = self.handle.and_then(|handle| Step::of_call(call, handle));
                self.state(call.and_then(|call| call.key()));
            }
            Expr::Loop(inner) => {
                let head = self.head(expression, |_| {});
                let body = self.flow(|lowering| lowering.visit_block(&inner.body));
                self.flows.push(Flow::looping(Loop {
                    label: label(&inner.label),
                    head,
                    condition: None,
                    body: Box::new(body),
                }));
            }
            Expr::While(inner) => {
                let head = self.head(expression, |lowering| lowering.visit_expr(&inner.cond));
                let body = self.flow(|lowering| lowering.visit_block(&inner.body));
                self.flows.push(Flow::looping(Loop {
                    label: label(&inner.label),
                    head,
                    condition: Some(format!("while {}", text(&inner.cond))),
                    body: Box::new(body),
                }));
            }
            Expr::ForLoop(inner) => {
                self.visit_expr(&inner.expr);
                let head = self.head(expression, |_| {});
                let body = self.flow(|lowering| lowering.visit_block(&inner.body));
                self.flows.push(Flow::looping(Loop {
                    label: label(&inner.label),
                    head,
                    condition: Some(format!("for {} in {}", text(&inner.pat), text(&inner.expr))),
                    body: Box::new(body),
                }));
            }
            Expr::Break(exit) => {
                if let Some(value) = &exit.expr {
                    self.visit_expr(value);
                }
                self.flows.push(Flow::Exit(Exit::Break(exit.label.as_ref().map(name))));
            }
            Expr::Continue(exit) => {
                self.flows.push(Flow::Exit(Exit::Continue(exit.label.as_ref().map(name))));
            }
            other => visit::visit_expr(self, other),
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if self.handle.is_some_and(|handle| is_restart(call, handle)) {
            visit::visit_expr_method_call(self, call);
            return self.flows.push(Flow::Exit(Exit::Restart));
        }
        let Some(method) = self.handle.and_then(|handle| Method::of(call, handle)) else {
            return visit::visit_expr_method_call(self, call);
        };
        // What it does is no part of the body.
        if !method.runs_code() {
            call.args.iter().for_each(|argument| self.visit_expr(argument));
        }
        if let StepId::Literal(_, id) = StepId::of(call, method) {
            self.state(Some(id));
        }
    }

    fn visit_expr_if(&mut self, branch: &'ast ExprIf) {
        self.visit_expr(&branch.cond);
        let then = self.arm(text(&branch.cond), |lowering| {
            lowering.visit_block(&branch.then_branch);
        });
        let otherwise = match &branch.else_branch {
            Some((_, otherwise)) => self.arm("else", |lowering| lowering.visit_expr(otherwise)),
            None => nothing_else(),
        };
        self.choice(vec![then, otherwise]);
    }

    fn visit_expr_match(&mut self, choice: &'ast ExprMatch) {
        self.visit_expr(&choice.expr);
        let value = text(&choice.expr);
        let arms: Vec<_> = choice.arms.iter().map(|arm| self.match_arm(&value, arm)).collect();
        if arms.iter().any(|arm| arm.guard.is_some()) {
            return self.flows.push(guarded(arms));
        }
        let arms =
            arms.into_iter().map(|MatchArm { condition, body, .. }| Arm { condition, flow: body });
        self.choice(arms.collect());
    }

    /// `let .. else` goes on only if the pattern fits.
    fn visit_local(&mut self, local: &'ast Local) {
        let Some(init) = &local.init else { return };
        self.visit_expr(&init.expr);
        if let Some((_, diverge)) = &init.diverge {
            let fits = format!("{} is {}", text(&init.expr), text(&local.pat));
            let fits = Arm { condition: fits, flow: Flow::NOTHING };
            let otherwise = self.arm("else", |lowering| lowering.visit_expr(diverge));
            self.choice(vec![fits, otherwise]);
        }
    }

    /// `&&` and `||` come to their right side only sometimes.
    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        self.visit_expr(&binary.left);
        let condition = match binary.op {
            BinOp::And(_) => text(&binary.left),
            BinOp::Or(_) => format!("!({})", text(&binary.left)),
            _ => return self.visit_expr(&binary.right),
        };
        let right = self.arm(condition, |lowering| lowering.visit_expr(&binary.right));
        self.choice(vec![right, nothing_else()]);
    }

    fn visit_expr_block(&mut self, inner: &'ast ExprBlock) {
        match label(&inner.label) {
            Some(label) => {
                let body = self.flow(|lowering| lowering.visit_block(&inner.block));
                self.flows.push(Flow::block(label, body));
            }
            None => self.visit_block(&inner.block),
        }
    }

    fn visit_expr_return(&mut self, exit: &'ast ExprReturn) {
        if let Some(value) = &exit.expr {
            self.visit_expr(value);
        }
        let exit = if self.callables == 0 {
            Exit::Return { failed: exit.expr.as_deref().is_some_and(is_error) }
        } else {
            Exit::Break(Some(self.callable_label()))
        };
        self.flows.push(Flow::Exit(exit));
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        match &arguments {
            MacroArguments::Race(branches) => {
                let branches = branches.iter().map(|branch| RaceBranch {
                    operation: self.flow(|lowering| lowering.visit_expr(&branch.operation)),
                    body: self.flow(|lowering| lowering.visit_expr(&branch.body)),
                });
                let branches = branches.collect();
                self.flows.push(Flow::Race(branches));
            }
            _ if concurrency(call).is_some() => {
                let branches = arguments.expressions().into_iter();
                let branches = branches
                    .map(|branch| self.flow(|lowering| lowering.visit_expr(branch)))
                    .filter(|branch| *branch != Flow::NOTHING)
                    .collect();
                self.flows.push(Flow::Together(branches));
            }
            MacroArguments::Matches(matches) => {
                self.visit_expr(&matches.value);
                if let Some((_, guard)) = &matches.guard {
                    let fits = format!("{} is {}", text(&matches.value), text(&matches.pattern));
                    let guard = self.arm(fits, |lowering| lowering.visit_expr(guard));
                    self.choice(vec![guard, nothing_else()]);
                }
            }
            _ => {
                arguments.expressions().into_iter().for_each(|each| self.visit_expr(each));
            }
        }
    }

    /// An item in a body has nothing to do with the run.
    fn visit_item(&mut self, _: &'ast Item) {}
}
