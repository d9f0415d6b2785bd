//! What no macro can see and rustc can: which type a value has.
//!
//! `Probe(value).__pass()` gives the value back. For the types that are refused the method that stands on
//! the probe itself is found first, and has a bound that nothing meets, so that rustc says why; for all
//! others it is that of [`Passes`].

use std::collections::{HashMap, HashSet, hash_map, hash_set};

use super::Call;

/// See [the module](self).
#[doc(hidden)]
pub trait Passes<T> {
    fn __pass(self) -> T;
}

/// What a function that is given the step handle gives, where nothing becomes of it: no helper's call.
#[doc(hidden)]
pub struct Dropped<T>(pub T);

impl<T> Passes<T> for Dropped<T> {
    fn __pass(self) -> T {
        self.0
    }
}

impl<F> Dropped<Call<F>> {
    /// Gives anything, so that nothing is said of what is done with it.
    #[doc(hidden)]
    pub fn __pass<T>(self) -> T
    where
        Call<F>: Awaited,
    {
        unreachable!("a program that drops a helper's call does not compile")
    }
}

/// Holds for none.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this helper is never awaited",
    label = "a helper does nothing until it is awaited, so its steps would never be done",
    note = "add `.await` at its end, or await it in `join!`"
)]
pub trait Awaited {}

/// What a body goes through in an order that shows: no hash table.
#[doc(hidden)]
pub struct Ordered<T>(pub T);

impl<T> Passes<T> for Ordered<T> {
    fn __pass(self) -> T {
        self.0
    }
}

/// Holds for none.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a hash table is iterated over in an order that differs from process to process",
    label = "this comes in another order when the run resumes",
    note = "a resumed run runs its body again from the start, and has to reach the same steps with the same values",
    note = "use a `BTreeMap` or `BTreeSet`, or sort the items first"
)]
pub trait HasAnOrder {}

macro_rules! unordered {
    ($(<$($parameter:tt),+> $ty:ty;)+) => {
        $(
            impl<$($parameter),+> Ordered<$ty> {
                #[doc(hidden)]
                pub fn __pass(self) -> $ty
                where
                    $ty: HasAnOrder,
                {
                    self.0
                }
            }
        )+
    };
}

unordered! {
    <K, V, S> HashMap<K, V, S>;
    <'t, K, V, S> &'t HashMap<K, V, S>;
    <'t, K, V, S> &'t mut HashMap<K, V, S>;
    <'t, K, V> hash_map::Iter<'t, K, V>;
    <'t, K, V> hash_map::IterMut<'t, K, V>;
    <'t, K, V> hash_map::Keys<'t, K, V>;
    <'t, K, V> hash_map::Values<'t, K, V>;
    <'t, K, V> hash_map::ValuesMut<'t, K, V>;
    <'t, K, V> hash_map::Drain<'t, K, V>;
    <'t, K, V, F> hash_map::ExtractIf<'t, K, V, F>;
    <K, V> hash_map::IntoIter<K, V>;
    <K, V> hash_map::IntoKeys<K, V>;
    <K, V> hash_map::IntoValues<K, V>;
    <T, S> HashSet<T, S>;
    <'t, T, S> &'t HashSet<T, S>;
    <'t, T> hash_set::Iter<'t, T>;
    <'t, T> hash_set::Drain<'t, T>;
    <'t, T, F> hash_set::ExtractIf<'t, T, F>;
    <T> hash_set::IntoIter<T>;
    <'t, T, S> hash_set::Union<'t, T, S>;
    <'t, T, S> hash_set::Intersection<'t, T, S>;
    <'t, T, S> hash_set::Difference<'t, T, S>;
    <'t, T, S> hash_set::SymmetricDifference<'t, T, S>;
}
