use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Futures that race until the first one ends: what `race!` expands to.
///
/// The machine delivers one outcome at a time, so the winner is the journal's decision, on every
/// resume the same. The losers are dropped before the winner's branch runs.
pub struct Race<B> {
    branches: B,
}

/// A tuple of futures that race.
pub trait Racers {
    /// The tuple in progress.
    type Slots;
    /// Begins it.
    fn into_slots(self) -> Self::Slots;
}

/// Awaits the first of the branches to end.
pub fn race<B: Racers>(branches: B) -> Race<B::Slots> {
    Race { branches: branches.into_slots() }
}

macro_rules! races {
    ($winner:ident: $($branch:ident $slot:ident),+) => {
        /// The branch that won, by its place.
        pub enum $winner<$($branch),+> {
            $(#[doc = "This branch won."] $branch($branch)),+
        }

        impl<$($branch: Future),+> Racers for ($($branch,)+) {
            type Slots = ($(Pin<Box<$branch>>,)+);

            #[allow(non_snake_case, reason = "a variable for each type")]
            fn into_slots(self) -> Self::Slots {
                let ($($branch,)+) = self;
                ($(Box::pin($branch),)+)
            }
        }

        impl<$($branch: Future),+> Future for Race<($(Pin<Box<$branch>>,)+)> {
            type Output = $winner<$($branch::Output),+>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let ($($slot,)+) = &mut self.branches;
                $(if let Poll::Ready(outcome) = $slot.as_mut().poll(cx) {
                    return Poll::Ready($winner::$branch(outcome));
                })+
                Poll::Pending
            }
        }
    };
}

races!(Race2: A a, B b);
races!(Race3: A a, B b, C c);
races!(Race4: A a, B b, C c, D d);
races!(Race5: A a, B b, C c, D d, E e);
races!(Race6: A a, B b, C c, D d, E e, F f);
races!(Race7: A a, B b, C c, D d, E e, F f, G g);
races!(Race8: A a, B b, C c, D d, E e, F f, G g, H h);
