use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{Attribute, Expr, ExprForLoop, Label};

use crate::model::is_carried;

/// The head of a loop under `#[carried]`.
pub(super) struct Head {
    pub(super) handle: Ident,
    pub(super) state: TokenStream,
    pub(super) variables: Vec<Ident>,
}

impl Head {
    /// The variables, committed. The label names the state, so it counts as used.
    fn commit(&self, label: &Option<Label>) -> TokenStream {
        let Self { handle, state, variables } = self;
        let variables = quote!((#(#variables,)*));
        let label = label.as_ref().map(|label| &label.name);
        let label = label.map(|label| quote!(if false { continue #label; }));
        quote! {
            #label
            #variables = __private::durable(#handle.carried(#state, #variables)).await;
        }
    }
}

/// A loop under `#[carried]`: its variables are committed at its head, and on a resume taken from
/// there.
pub(super) fn carry(expression: &mut Expr, head: Head) {
    let tokens = match expression {
        Expr::Loop(inner) => {
            let (attributes, label) = (others(&inner.attrs), &inner.label);
            let (carry, body) = (head.commit(label), &inner.body.stmts);
            quote!(#(#attributes)* #label loop { #carry #(#body)* })
        }
        Expr::While(inner) => {
            let (attributes, label) = (others(&inner.attrs), &inner.label);
            let carry = head.commit(label);
            let (condition, body) = (&inner.cond, &inner.body);
            quote! {
                #(#attributes)* #label loop {
                    #carry
                    if #condition #body else { break }
                }
            }
        }
        Expr::ForLoop(inner) => over_items(inner, head),
        _ => return,
    };
    *expression = Expr::Verbatim(tokens);
}

/// How many items were taken is carried too. A resumed run passes over them; an iterator over a
/// carried collection is made anew at each item, as the collection was put back in between.
fn over_items(inner: &ExprForLoop, mut head: Head) -> TokenStream {
    let ExprForLoop { attrs, label, pat, expr, body, .. } = inner;
    let attributes = others(attrs);
    let name = |name| Ident::new(name, Span::mixed_site());
    let (taken, passed, items) = (name("__taken"), name("__passed"), name("__items"));
    let over_a_carried = root(expr).is_some_and(|root| head.variables.contains(root));
    head.variables.push(taken.clone());
    let carry = head.commit(label);
    if over_a_carried {
        return quote! {
            {
                let mut #taken = 0usize;
                #(#attributes)* #label loop {
                    #carry
                    let mut #items = __private::IntoIterator::into_iter(#expr);
                    let __private::Option::Some(#pat) =
                        __private::Iterator::nth(&mut #items, #taken) else { break };
                    #taken += 1;
                    #body
                }
            }
        };
    }
    quote! {
        {
            let mut #taken = 0usize;
            let mut #passed = 0usize;
            let mut #items = __private::IntoIterator::into_iter(#expr);
            #(#attributes)* #label loop {
                #carry
                let __private::Option::Some(#pat) =
                    __private::Iterator::nth(&mut #items, #taken - #passed) else { break };
                #taken += 1;
                #passed = #taken;
                #body
            }
        }
    }
}

fn others(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes.iter().filter(|attribute| !is_carried(attribute)).collect()
}

fn is_ours(function: &Expr) -> bool {
    let Expr::Path(function) = function else { return false };
    function.path.segments.first().is_some_and(|first| first.ident == "__private")
}

/// The variable that is gone through: of `&items` and `items.iter()`, `items`.
fn root(items: &Expr) -> Option<&Ident> {
    match items {
        Expr::Path(path) => path.path.get_ident(),
        Expr::Reference(reference) => root(&reference.expr),
        Expr::MethodCall(call) => root(&call.receiver),
        Expr::Paren(inner) => root(&inner.expr),
        // What rustc is asked about: `__private::Ordered(&items).__pass()`.
        Expr::Call(call) if is_ours(&call.func) => root(call.args.first()?),
        _ => None,
    }
}
