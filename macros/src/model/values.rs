use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path};

use crate::parse::Value;
use crate::problem::Problem;

/// The value of an argument that takes a string literal.
pub(crate) fn string(name: &Ident, value: Value, example: &str) -> Result<LitStr, Problem> {
    text(name, value).map_err(|problem| problem.help(format!("{name} = {example}")))
}

/// The same, with no word on how it is written.
pub(super) fn text(name: &Ident, value: Value) -> Result<LitStr, Problem> {
    match value {
        Value::Expr(Expr::Lit(ExprLit { lit: Lit::Str(literal), .. })) => Ok(literal),
        Value::Expr(other) => Err(Problem::at(&other, format!("`{name}` takes a string literal"))),
        _ => Err(Problem::at(name, format!("`{name}` takes a value"))),
    }
}

/// The value of `crate = path`.
pub(crate) fn path(name: &Ident, value: Value) -> Result<Path, Problem> {
    match value {
        Value::Expr(Expr::Path(path)) if path.qself.is_none() => Ok(path.path),
        _ => Err(Problem::at(name, "`crate` takes the path of the crate `indelible`")
            .help("crate = ::indelible")),
    }
}
