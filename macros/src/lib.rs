//! The macros of Indelible.
