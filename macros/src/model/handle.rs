use syn::{Expr, Ident};

/// The parameter through which a body performs its steps.
pub(crate) struct Handle {
    pub(crate) name: Ident,
    /// The same, to be compared often: an identifier of rustc's is asked for its text each time.
    text: String,
}

impl Handle {
    pub(crate) fn new(name: Ident) -> Self {
        Self { text: name.to_string(), name }
    }

    /// Whether an expression is the handle.
    pub(super) fn is(&self, expression: &Expr) -> bool {
        matches!(expression, Expr::Path(path) if path.path.is_ident(self.text.as_str()))
    }
}
