use crate::event::EventDef;
use crate::step::Definition;
use crate::text::{Message, same};
use crate::workflow::{Awaits, Handlers, Trigger, is_system_event};

/// What an app declares, held against itself while the program is compiled: `app!` calls each check
/// in a constant, and a panic there is a compiler error.
#[doc(hidden)]
pub struct Declared {
    /// Its events.
    pub events: &'static [EventDef],
    /// Its workflows.
    pub workflows: &'static [Definition],
}

impl Declared {
    /// No event before the one at `index` has its name, and it is no system event.
    #[track_caller]
    pub const fn event_is_unique(&self, index: usize) {
        let event = &self.events[index];
        if is_system_event(event.name) {
            Message::EMPTY
                .push("`")
                .push(event.name)
                .push("` is an event that Indelible makes: every app has it, and no program sends ")
                .push("it; leave `")
                .push(event.rust_type)
                .push("` out of `events: [..]`")
                .panic();
        }
        let mut before = 0;
        while before < index {
            let other = &self.events[before];
            if same(other.rust_type, event.rust_type) {
                twice(event.rust_type);
            }
            if same(other.name, event.name) {
                Message::EMPTY
                    .push("two events are named `")
                    .push(event.name)
                    .push("`: `")
                    .push(other.rust_type)
                    .push("` and `")
                    .push(event.rust_type)
                    .push("`; who sends one would start the workflows of the other")
                    .panic();
            }
            before += 1;
        }
    }

    /// No workflow before the one at `index` has its id.
    #[track_caller]
    pub const fn workflow_is_unique(&self, index: usize) {
        let workflow = &self.workflows[index];
        let mut before = 0;
        while before < index {
            let other = &self.workflows[before];
            if same(other.path, workflow.path) {
                twice(workflow.path);
            }
            if same(other.id, workflow.id) {
                Message::EMPTY
                    .push("two workflows have the id `")
                    .push(workflow.id)
                    .push("`: `")
                    .push(other.path)
                    .push("` and `")
                    .push(workflow.path)
                    .push("`; the runs of one would be resumed by the other")
                    .panic();
            }
            before += 1;
        }
    }

    /// Every event that starts the workflow at `index` is declared.
    #[track_caller]
    pub const fn triggers_are_declared(&self, index: usize) {
        let workflow = &self.workflows[index];
        let mut trigger = 0;
        while trigger < workflow.triggers.len() {
            if let Trigger::Event(name) = workflow.triggers[trigger]
                && !self.declares(name)
            {
                Message::EMPTY
                    .push("`")
                    .push(workflow.path)
                    .push("` is started by `")
                    .push(name)
                    .push("`, which the app does not declare, so it would never start; add the ")
                    .push("event\'s type to `events: [..]`")
                    .panic();
            }
            trigger += 1;
        }
    }

    /// Every event that the workflow at `index` waits for is declared.
    #[track_caller]
    pub const fn waits_are_declared(&self, index: usize) {
        let workflow = &self.workflows[index];
        self.declares_all(workflow, workflow.waits);
    }

    #[track_caller]
    const fn declares_all(&self, workflow: &Definition, waits: &[Awaits]) {
        let mut wait = 0;
        while wait < waits.len() {
            match waits[wait] {
                Awaits::Helper(waits) => self.declares_all(workflow, waits),
                Awaits::Event { event, .. } if !self.declares(event) => Message::EMPTY
                    .push("`")
                    .push(workflow.path)
                    .push("` waits for `")
                    .push(event)
                    .push("`, which the app does not declare, so it would wait for ever; add the ")
                    .push("event\'s type to `events: [..]`")
                    .panic(),
                Awaits::Event { .. } => {}
            }
            wait += 1;
        }
    }

    /// Every event that cancels runs of the workflow at `index` is declared.
    #[track_caller]
    pub const fn cancellations_are_declared(&self, index: usize) {
        let workflow = &self.workflows[index];
        let mut cancel = 0;
        while cancel < workflow.cancels.len() {
            let event = workflow.cancels[cancel].event;
            if !self.declares(event) {
                Message::EMPTY
                    .push("runs of `")
                    .push(workflow.path)
                    .push("` are cancelled by `")
                    .push(event)
                    .push("`, which the app does not declare, so they never would be; add the ")
                    .push("event\'s type to `events: [..]`")
                    .panic();
            }
            cancel += 1;
        }
    }

    /// The workflows that handle the ends of runs of the workflow at `index` are declared.
    #[track_caller]
    pub const fn handlers_are_declared(&self, index: usize) {
        let workflow = &self.workflows[index];
        self.has_handlers(workflow.path, workflow.config.handlers);
    }

    /// The workflows that handle the ends of all runs are declared.
    #[track_caller]
    pub const fn has_handlers(&self, whose: &str, handlers: Handlers) {
        let handlers = [handlers.on_failure, handlers.on_cancel];
        let mut index = 0;
        while index < handlers.len() {
            if let Some(handler) = handlers[index]
                && !self.has_workflow(handler)
            {
                Message::EMPTY
                    .push("`")
                    .push(handler)
                    .push("` handles how runs of `")
                    .push(whose)
                    .push(
                        "` end, but the app does not list it, so no worker would drive it; add it ",
                    )
                    .push("to `workflows: [..]`")
                    .panic();
            }
            index += 1;
        }
    }

    /// Every concurrency limit that the workflow at `index` shares is the same for those before it.
    #[track_caller]
    pub const fn shared_limits_agree(&self, index: usize) {
        let workflow = &self.workflows[index];
        let mut before = 0;
        while before < index {
            let other = &self.workflows[before];
            let mut pair = 0;
            while pair < 4 {
                let theirs = other.config.flow.concurrency[pair / 2];
                let ours = workflow.config.flow.concurrency[pair % 2];
                if let (Some(theirs), Some(ours)) = (theirs, ours)
                    && theirs.scope().is_shared_with(&ours.scope())
                    && theirs.limit() != ours.limit()
                {
                    Message::EMPTY
                        .push("`")
                        .push(other.path)
                        .push("` and `")
                        .push(workflow.path)
                        .push("` share a concurrency limit, which is ")
                        .push_number(theirs.limit())
                        .push(" to the one and ")
                        .push_number(ours.limit())
                        .push(" to the other; declare the same `limit` in both, or give them ")
                        .push("different scopes")
                        .panic();
                }
                pair += 1;
            }
            before += 1;
        }
    }

    const fn has_workflow(&self, id: &str) -> bool {
        let mut index = 0;
        while index < self.workflows.len() {
            if same(self.workflows[index].id, id) {
                return true;
            }
            index += 1;
        }
        false
    }

    const fn declares(&self, name: &str) -> bool {
        if is_system_event(name) {
            return true;
        }
        let mut index = 0;
        while index < self.events.len() {
            if same(self.events[index].name, name) {
                return true;
            }
            index += 1;
        }
        false
    }
}

/// What is listed a second time.
#[track_caller]
const fn twice(path: &str) -> ! {
    Message::EMPTY.push("`").push(path).push("` is listed twice; once is enough").panic()
}
