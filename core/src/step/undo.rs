use std::future::{Future, pending};
use std::pin::Pin;

use serde::de::DeserializeOwned;

use super::context::{Context, FromContext, Requirement, Resource};
use super::error::BoxError;
use super::operations::{Fault, Stored};
use crate::journal::StateKey;
use crate::payload::{Payload, Undecodable};

/// A named `async` function that undoes a step. Its first parameter is what the step gave; resources can follow.
///
/// It runs when the body is gone. So it is a function that the program finds by the step's id, and cannot be a
/// closure over the body's locals.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot undo a step that gives `{Output}`",
    label = "not an undo of this step",
    note = "an undo is `async fn(output: {Output}) -> Result<(), Failure>`; after the output it may take resources: `Resource(shop): Resource<Shop>`"
)]
pub trait UndoFn<Output, Arguments>: Copy + Send + Sync + 'static {
    #[doc(hidden)]
    fn requirements() -> Vec<Requirement>;

    #[doc(hidden)]
    fn begin(self, output: Output, context: &Context) -> UndoAttempt;
}

/// An attempt to undo a step.
pub type UndoAttempt = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A parameter that an undo can take after the step's output. It cannot be a [`Step`](super::Step), because an
/// undo is a step itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of an undo",
    label = "not something that an undo can be given",
    note = "after the step's output, an undo takes resources: `Resource(shop): Resource<Shop>`"
)]
pub trait Lent: FromContext {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> Lent for Resource<T> {}

macro_rules! undo_functions {
    ($($argument:ident),*) => {
        #[diagnostic::do_not_recommend]
        impl<F, Output, Fut, E, $($argument),*> UndoFn<Output, ($($argument,)*)> for F
        where
            F: Fn(Output, $($argument),*) -> Fut + Copy + Send + Sync + 'static,
            Fut: Future<Output = Result<(), E>> + Send + 'static,
            E: Into<BoxError>,
            $($argument: Lent,)*
        {
            fn requirements() -> Vec<Requirement> {
                let needed: [Option<Requirement>; _] = [$($argument::requirement()),*];
                needed.into_iter().flatten().collect()
            }

            fn begin(self, output: Output, context: &Context) -> UndoAttempt {
                // Without resources nothing is taken from it.
                let _ = context;
                let attempt = self(output, $($argument::from_context(context)),*);
                Box::pin(async { attempt.await.map_err(E::into) })
            }
        }
    };
}

undo_functions!();
undo_functions!(A);
undo_functions!(A, B);
undo_functions!(A, B, C);
undo_functions!(A, B, C, D);

/// What undoes a step of a workflow or of a helper, as `#[workflow]` and `#[durable]` find it in the
/// source.
#[derive(Clone, Copy)]
pub enum Undo {
    /// A step has an undo.
    Step {
        /// The step's id.
        id: &'static str,
        /// What has to be lent for it.
        requirements: fn() -> Vec<Requirement>,
        /// Begins an attempt.
        begin: BeginUndo,
    },
    /// A helper has steps with undos.
    Helper {
        /// The name under which its steps are kept.
        id: &'static str,
        /// Theirs.
        undos: &'static [Undo],
    },
}

/// Begins an attempt to undo what a step gave; an output that no longer decodes says why.
pub type BeginUndo = fn(&Context, &Payload) -> Result<UndoAttempt, UndecodableOutput>;

/// A committed output does not fit what its undo takes.
pub struct UndecodableOutput {
    type_name: &'static str,
    error: Undecodable,
}

/// A function that is said to be an undo. That it is none is said where the step is, which knows what it
/// gives: here it is [`NoUndo`] then.
#[doc(hidden)]
pub struct UndoOf<F>(pub F);

/// See [`UndoOf`].
#[doc(hidden)]
pub trait Undoes<T, A> {
    /// What has to be lent for it.
    fn requirements(self) -> Vec<Requirement>;

    /// Begins an attempt.
    fn begin(self, context: &Context, output: &Payload) -> Result<UndoAttempt, UndecodableOutput>;
}

impl<F, T, A> Undoes<T, A> for UndoOf<F>
where
    F: UndoFn<T, A>,
    T: DeserializeOwned,
{
    fn requirements(self) -> Vec<Requirement> {
        F::requirements()
    }

    fn begin(self, context: &Context, output: &Payload) -> Result<UndoAttempt, UndecodableOutput> {
        let type_name = std::any::type_name::<T>();
        let output = output.decode().map_err(|error| UndecodableOutput { type_name, error })?;
        Ok(self.0.begin(output, context))
    }
}

/// See [`UndoOf`].
#[doc(hidden)]
pub trait NoUndo: Sized {
    fn requirements(self) -> Vec<Requirement> {
        unreachable!("a program with a refused undo does not compile")
    }

    fn begin(self, _: &Context, _: &Payload) -> Result<UndoAttempt, UndecodableOutput> {
        unreachable!("a program with a refused undo does not compile")
    }
}

impl<F> NoUndo for &UndoOf<F> {}

/// Stands in the place of a body that was refused.
pub fn refused<T>() -> T {
    unreachable!("a program with a refused body does not compile")
}

impl Undo {
    /// What has to be lent for all of them.
    pub(crate) fn all_requirements(undos: &'static [Self]) -> Vec<Requirement> {
        let requirements = undos.iter().flat_map(|undo| match undo {
            Self::Step { requirements, .. } => requirements(),
            Self::Helper { undos, .. } => Self::all_requirements(undos),
        });
        requirements.collect()
    }

    /// The undo of the step that stands at a key.
    ///
    /// Ids are kebab-case, so an id ends where the key goes on with an occurrence (`#1`), the user's
    /// name (`[..]`, which may hold anything) or the way into a helper (`/`).
    pub(crate) fn find(undos: &'static [Self], key: &str) -> Option<BeginUndo> {
        let (id, rest) = key.split_at(key.find(['#', '[', '/']).unwrap_or(key.len()));
        undos.iter().find_map(|undo| match undo {
            Self::Step { id: known, begin, .. } if *known == id && !rest.starts_with('/') => {
                Some(*begin)
            }
            Self::Helper { id: known, undos } if *known == id => {
                let mut ways = rest.match_indices('/').map(|(at, _)| &rest[at + 1..]);
                ways.find_map(|rest| Self::find(undos, rest))
            }
            _ => None,
        })
    }

    /// Begins an attempt to undo a step. One that cannot be begun holds the run: it then never ends.
    pub(super) fn attempt(
        undos: &'static [Self],
        context: &Context,
        key: &StateKey,
        output: &Payload,
    ) -> UndoAttempt {
        let fault = match Self::find(undos, key.as_str()) {
            Some(begin) => match begin(context, output) {
                Ok(attempt) => return attempt,
                Err(UndecodableOutput { type_name, error }) => {
                    Fault::undecodable(Stored::Outcome(key.clone()), type_name, &error, output)
                }
            },
            None => Fault::no_undo(key),
        };
        context.operations.lock().fail(fault);
        Box::pin(pending())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNDOS: &[Undo] = &[
        step("reserve"),
        Undo::Helper { id: "deliver", undos: &[step("book"), step("reserve")] },
        step("deliver"),
    ];

    const fn step(id: &'static str) -> Undo {
        Undo::Step { id, requirements: Vec::new, begin: |_, _| Ok(Box::pin(pending())) }
    }

    #[test]
    fn a_key_leads_to_its_undo() {
        let keys = [
            "reserve",
            "reserve#2",
            "reserve[a/b]",
            "deliver/book",
            "deliver#1/book[x]#3",
            "deliver[me/you]/reserve",
            "deliver",
            "deliver[x]",
        ];
        for key in keys {
            assert!(Undo::find(UNDOS, key).is_some(), "{key}");
        }
        for key in ["book", "deliver/deliver", "reserve/book", "reserved", "deliver/"] {
            assert!(Undo::find(UNDOS, key).is_none(), "{key}");
        }
    }
}
