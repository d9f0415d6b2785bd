use super::{Batch, Filter};

/// What becomes of the events that would start a workflow, before there is a run.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// Which of them start it.
    pub(crate) filters: &'static [Filter],
    /// How they are gathered, if it takes a list of them.
    pub batch: Option<Batch>,
}

impl Flow {
    /// Each of them starts a run.
    pub const DEFAULT: Self = Self { filters: &[], batch: None };

    /// Sets which of them start it.
    #[doc(hidden)]
    #[must_use]
    pub const fn filters(self, filters: &'static [Filter]) -> Self {
        Self { filters, ..self }
    }

    /// Sets how they are gathered.
    #[must_use]
    pub const fn batch(self, batch: Batch) -> Self {
        Self { batch: Some(batch), ..self }
    }
}
