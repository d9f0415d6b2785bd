use syn::Expr;

/// An expression without parentheses, and without the invisible groups in which comes what a
/// `macro_rules!` macro was given.
pub(super) fn ungrouped(expression: &Expr) -> &Expr {
    match expression {
        Expr::Group(group) => ungrouped(&group.expr),
        Expr::Paren(group) => ungrouped(&group.expr),
        other => other,
    }
}
