use indelible::prelude::*;

/// A member has bought something, and points are due.
#[derive(Debug, Clone, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "currency/award.requested")]
pub struct AwardRequested {
    /// The member.
    pub user_id: String,
    /// Where it was bought.
    pub merchant_id: String,
    /// The purchase that the points are for.
    pub source_id: String,
    /// What was paid, in cents.
    pub amount: i64,
}

/// The money for a purchase was given back.
#[derive(Debug, Clone, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "purchase/refunded")]
pub struct PurchaseRefunded {
    /// The purchase.
    pub source_id: String,
}
