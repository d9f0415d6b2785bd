use quote::ToTokens as _;
use syn::Expr;

use super::graph::as_written;

/// An expression over what starts the workflow.
pub(crate) struct Key(pub(crate) Expr);

impl Key {
    /// As it stands in the source.
    pub(crate) fn text(&self) -> String {
        as_written(self.0.to_token_stream())
    }
}
