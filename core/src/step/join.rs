use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::{MaybeDone, TryFuture, TryMaybeDone, maybe_done, try_maybe_done};

/// Futures that run side by side: what `join!` and `try_join!` expand to.
///
/// Each poll polls every branch, in the order of the source. The machine delivers one outcome at a time, in
/// the order of the journal, so the branches go on in the same order on every resume.
pub struct Together<B> {
    branches: B,
}

type Slot<F> = Pin<Box<MaybeDone<F>>>;
type TrySlot<F> = Pin<Box<TryMaybeDone<F>>>;

/// A tuple of futures.
pub trait Branches {
    /// The tuple in progress.
    type Slots;
    /// Begins it.
    fn into_slots(self) -> Self::Slots;
}

/// A tuple of futures of `Result`s with one error type.
pub trait TryBranches {
    /// The tuple in progress.
    type Slots;
    /// Begins it.
    fn into_slots(self) -> Self::Slots;
}

/// Awaits all branches.
pub fn join<B: Branches>(branches: B) -> Together<B::Slots> {
    Together { branches: branches.into_slots() }
}

/// Awaits all branches; the first `Err` ends the wait and drops the others.
pub fn try_join<B: TryBranches>(branches: B) -> Together<B::Slots> {
    Together { branches: branches.into_slots() }
}

macro_rules! tuples {
    ($($branch:ident $slot:ident),+) => {
        impl<$($branch: Future),+> Branches for ($($branch,)+) {
            type Slots = ($(Slot<$branch>,)+);

            #[allow(non_snake_case, reason = "a variable for each type")]
            fn into_slots(self) -> Self::Slots {
                let ($($branch,)+) = self;
                ($(Box::pin(maybe_done($branch)),)+)
            }
        }

        impl<$($branch: Future),+> Future for Together<($(Slot<$branch>,)+)> {
            type Output = ($($branch::Output,)+);

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let ($($slot,)+) = &mut self.branches;
                let mut pending = false;
                $(pending |= $slot.as_mut().poll(cx).is_pending();)+
                if pending {
                    return Poll::Pending;
                }
                Poll::Ready(($($slot.as_mut().take_output().expect("it is done and taken once"),)+))
            }
        }

        impl<Error, $($branch: TryFuture<Error = Error>),+> TryBranches for ($($branch,)+) {
            type Slots = ($(TrySlot<$branch>,)+);

            #[allow(non_snake_case, reason = "a variable for each type")]
            fn into_slots(self) -> Self::Slots {
                let ($($branch,)+) = self;
                ($(Box::pin(try_maybe_done($branch)),)+)
            }
        }

        impl<Error, $($branch: TryFuture<Error = Error>),+> Future
            for Together<($(TrySlot<$branch>,)+)>
        {
            type Output = Result<($($branch::Ok,)+), Error>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let ($($slot,)+) = &mut self.branches;
                let mut pending = false;
                $(match $slot.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => pending = true,
                })+
                if pending {
                    return Poll::Pending;
                }
                Poll::Ready(Ok((
                    $($slot.as_mut().take_output().expect("it is done and taken once"),)+
                )))
            }
        }
    };
}

tuples!(A a);
tuples!(A a, B b);
tuples!(A a, B b, C c);
tuples!(A a, B b, C c, D d);
tuples!(A a, B b, C c, D d, E e);
tuples!(A a, B b, C c, D d, E e, F f);
tuples!(A a, B b, C c, D d, E e, F f, G g);
tuples!(A a, B b, C c, D d, E e, F f, G g, H h);
tuples!(A a, B b, C c, D d, E e, F f, G g, H h, I i);
tuples!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);
tuples!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k);
tuples!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l);
