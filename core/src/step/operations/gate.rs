use crate::workflow::StepKind;

/// Whether code of steps may begin.
#[derive(Default)]
pub(super) struct Gate {
    /// Whether every committed row has been delivered, so that new work may begin.
    pub(super) live: bool,
    /// Whether no new work may begin, as the process is about to stop.
    pub(super) draining: bool,
    /// Whether no code of a step may begin before it is known that it is about to.
    pub(super) hesitating: bool,
}

impl Gate {
    pub(super) fn is_open_to(&self, kind: StepKind) -> bool {
        let has_code = matches!(kind, StepKind::Run | StepKind::Transaction | StepKind::Undo);
        self.live && !self.draining && !(self.hesitating && has_code)
    }
}
