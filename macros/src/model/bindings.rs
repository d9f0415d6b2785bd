use syn::{Expr, Local, Pat};

/// What `let` binds to what: of `let (a, b) = (x, y)`, each of both.
pub(super) fn bindings(local: &Local) -> Vec<(&Pat, &Expr)> {
    let mut bindings = Vec::new();
    if let Some(init) = &local.init {
        pair(&local.pat, &init.expr, &mut bindings);
    }
    bindings
}

fn pair<'l>(pattern: &'l Pat, value: &'l Expr, bindings: &mut Vec<(&'l Pat, &'l Expr)>) {
    match (pattern, value) {
        (Pat::Type(typed), value) => pair(&typed.pat, value, bindings),
        (Pat::Tuple(patterns), Expr::Tuple(values))
            if patterns.elems.len() == values.elems.len() =>
        {
            let pairs = patterns.elems.iter().zip(&values.elems);
            pairs.for_each(|(pattern, value)| pair(pattern, value, bindings));
        }
        (pattern, value) => bindings.push((pattern, value)),
    }
}
