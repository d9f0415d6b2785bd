//! A loyalty currency. Members of a programme get points for what they buy at its merchants, exactly once,
//! and none for what they give back. The program in `main.rs` runs it with events of a few days.

mod award;
mod bank;
mod events;

pub use self::award::{Award, currency_award};
pub use self::bank::{Bank, Merchant, Posting};
pub use self::events::{AwardRequested, PurchaseRefunded};

indelible::app! {
    pub Loyalty = "loyalty";
    events: [AwardRequested, PurchaseRefunded],
    workflows: [currency_award],
}
