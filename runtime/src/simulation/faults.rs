use jiff::SignedDuration;

use super::random::Random;

/// What goes wrong with a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process dies before it is sent.
    Killed,
    /// The process dies after it was committed, before it hears of that.
    KilledBehind,
    /// The process dies while it is under way.
    Torn,
    /// It was never committed, and the worker does not know.
    UnansweredAndLost,
    /// It was committed, and the worker does not know.
    Unanswered,
    /// It was committed, and comes again.
    SentTwice,
    /// Another worker has taken over before it comes.
    Late,
    /// The worker gives all back instead.
    Leaves,
}

/// What goes wrong with a worker: nothing, or much.
#[derive(Debug)]
pub(super) struct Faults(Option<Random>);

impl Faults {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn many(random: Random) -> Self {
        Self(Some(random))
    }

    pub(super) fn of_flush(&mut self) -> Option<Fault> {
        use Fault::{
            Killed, KilledBehind, Late, Leaves, SentTwice, Torn, Unanswered, UnansweredAndLost,
        };
        let random = self.0.as_mut()?;
        match random.below(100) {
            0..5 => Some(Killed),
            5..10 => Some(KilledBehind),
            10..13 => Some(Torn),
            13..16 => Some(UnansweredAndLost),
            16..19 => Some(Unanswered),
            19..21 => Some(SentTwice),
            21..24 => Some(Late),
            24..26 => Some(Leaves),
            _ => None,
        }
    }

    /// How much of a batch is sent at once.
    pub(super) fn part_of(&mut self, whole: usize) -> usize {
        self.some_of(whole)
    }

    pub(super) fn claim_limit(&mut self) -> usize {
        self.some_of(1000)
    }

    /// All of it as a rule.
    fn some_of(&mut self, whole: usize) -> usize {
        match &mut self.0 {
            Some(random) => match random.percent(30) {
                true => random.within(1..=whole as u64) as usize,
                false => whole,
            },
            None => whole,
        }
    }

    pub(super) fn claim_is_unanswered(&mut self) -> bool {
        self.0.as_mut().is_some_and(|random| random.percent(3))
    }

    /// Whether a run that waits for a time stays with its worker.
    pub(super) fn keeps_in_memory(&mut self) -> bool {
        self.0.as_mut().is_some_and(|random| random.percent(40))
    }

    /// By how much a clock lags.
    pub(super) fn lag(&mut self) -> SignedDuration {
        let lags = |random: &mut Random| if random.percent(50) { random.below(100) } else { 0 };
        SignedDuration::from_millis(self.0.as_mut().map_or(0, lags) as i64)
    }

    /// How many microseconds a flush is given.
    pub(super) fn moment(&mut self) -> u64 {
        self.0.as_mut().map_or(0, |random| random.below(3000))
    }
}
