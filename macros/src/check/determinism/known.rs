//! What can be known of a value's type: above all whether it is a hash table, whose order differs from
//! process to process.

use syn::Ident;

/// What is known of a value.
#[derive(Clone)]
pub(super) enum Known {
    /// A hash table, and the variable or the type that it is seen from.
    Hashed(Ident),
    /// A collection that has one order, however it was filled.
    Sorted,
    /// A number of which a sum is the same, however it is added up. Floats are rounded on the way.
    Number,
    /// The step handle.
    Handle,
    Tuple(Vec<Option<Known>>),
}

impl Known {
    /// Whether it is the same, however it was filled.
    pub(super) fn is_indifferent(&self) -> bool {
        matches!(self, Self::Hashed(_) | Self::Sorted)
    }

    /// Whether it is the same, however it came of these items by `collect`, `sum` or `product`.
    pub(super) fn gathers(&self, method: &str) -> bool {
        match self {
            Self::Hashed(_) | Self::Sorted => method == "collect",
            Self::Number => method != "collect",
            Self::Handle | Self::Tuple(_) => false,
        }
    }
}
