use proc_macro2::{TokenStream, TokenTree};
use syn::Ident;

/// How often a variable's name occurs, in macros too. After a dot it is a field's or a method's.
pub(crate) fn occurrences(tokens: &TokenStream, name: &Ident) -> usize {
    let mut after_dot = false;
    let mut count = 0;
    for token in tokens.clone() {
        count += match &token {
            TokenTree::Ident(ident) => usize::from(*ident == *name && !after_dot),
            TokenTree::Group(group) => occurrences(&group.stream(), name),
            // Format strings capture variables by name.
            TokenTree::Literal(literal) => {
                usize::from(literal.to_string().contains(&format!("{{{name}")))
            }
            TokenTree::Punct(_) => 0,
        };
        after_dot = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '.');
    }
    count
}
