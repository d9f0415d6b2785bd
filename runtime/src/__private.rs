//! What the macros write calls to. Not for direct use, and free to change in any release.

#[doc(no_inline)]
pub use indelible_core::__private::*;

pub use crate::transaction::Tx;
