use std::fmt;

use super::UNDO;
use crate::workflow::{Form, StepKind};

/// What a change is a change of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    App(String),
    Event(String),
    Workflow(String),
}

/// How a shape differs from an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    AppRenamed {
        from: String,
        to: String,
    },

    WorkflowAdded,
    WorkflowRemoved,
    TriggerAdded {
        event: String,
    },
    TriggerRemoved {
        event: String,
    },
    /// What starts it is stored in another form.
    FormChanged {
        from: Form,
        to: Form,
    },
    KindChanged {
        id: String,
        from: StepKind,
        to: StepKind,
    },
    /// A step waits for another event.
    AwaitedChanged {
        id: String,
        from: String,
        to: String,
    },
    StepRenamed {
        from: String,
        to: String,
    },
    StepRemoved {
        id: String,
    },
    /// A run may have passed where it stands now; `before` is a step that it may have recorded.
    StepInserted {
        id: String,
        before: Option<String>,
    },
    /// It stands where a run was over.
    StepAppended {
        id: String,
    },
    /// `before` is what comes next in the source.
    StepMoved {
        id: String,
        before: Option<String>,
    },
    DerivedRenamed {
        from: String,
        to: String,
    },
    /// The same steps follow one another in other ways.
    Rewired {
        gone: Vec<(String, String)>,
        come: Vec<(String, String)>,
    },
    /// Nothing that a run would notice.
    Redrawn,
    SettingAdded {
        setting: String,
    },
    SettingRemoved {
        setting: String,
    },

    EventAdded,
    EventRemoved,
    FieldAdded {
        path: String,
    },
    FieldRemoved {
        path: String,
    },
    /// Required, and either new or optional before.
    FieldRequired {
        path: String,
        new: bool,
    },
    FieldOptional {
        path: String,
    },
    /// All that was read before still is.
    FieldWidened {
        path: String,
        from: String,
        to: String,
    },
    FieldRetyped {
        path: String,
        from: String,
        to: String,
    },
}

impl Change {
    /// The state that a run may have recorded and never comes to again.
    pub fn gone(&self) -> Option<&str> {
        match self {
            Self::StepRenamed { from: id, .. }
            | Self::StepRemoved { id }
            | Self::KindChanged { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether an unfinished run, or an event that is stored, may not survive it.
    pub fn is_breaking(&self) -> bool {
        self.harm().is_some()
    }

    /// Why it is breaking, and what to do instead; `None` if it is not.
    pub fn harm(&self) -> Option<Harm> {
        let harm = match self {
            Self::WorkflowAdded
            | Self::TriggerAdded { .. }
            | Self::StepAppended { .. }
            | Self::Redrawn
            | Self::SettingAdded { .. }
            | Self::EventAdded
            | Self::FieldAdded { .. }
            | Self::FieldOptional { .. }
            | Self::FieldWidened { .. } => return None,

            Self::AppRenamed { from, .. } => Harm {
                why: format!(
                    "the store files runs and events under the app's name, so no program would go on with those of `{from}`"
                ),
                instead: format!("keep the name `{from}`; the type's name may change"),
            },
            Self::WorkflowRemoved => Harm {
                why: "its unfinished runs would be stranded, because no program could go on with them"
                    .to_owned(),
                instead: "keep the workflow until its runs are over, without triggers if nothing should start it; if you renamed it, keep its id with `#[workflow(id = \"..\")]`"
                    .to_owned(),
            },
            Self::TriggerRemoved { event } => Harm {
                why: format!(
                    "a `{event}` that was accepted but not yet routed would start nothing, and an unfinished run that it started may not be able to read it"
                ),
                instead: "keep the trigger until those events are routed and those runs are over".to_owned(),
            },
            Self::FormChanged { from, to } => Harm {
                why: format!(
                    "the input of an unfinished run is stored as {from}; when the run resumes, it cannot read that as {to}, and is held"
                ),
                instead: format!(
                    "let the first parameter stay {from} until those runs are over, and give the new one to a workflow with another id"
                ),
            },
            Self::KindChanged { from, .. } => Harm {
                why: format!(
                    "an unfinished run may have recorded a `{from}` there; when it resumes, it finds something else, and is held"
                ),
                instead: "give the new step an id of its own, where no unfinished run has been yet"
                    .to_owned(),
            },
            Self::AwaitedChanged { from, to, .. } => Harm {
                why: format!(
                    "an unfinished run may wait for a `{from}`, or have recorded one; when it resumes, it cannot read that as a `{to}`, or waits for an event that has already come"
                ),
                instead: "give the new wait an id of its own, where no unfinished run has been yet"
                    .to_owned(),
            },
            Self::StepRenamed { from, to } => Harm {
                why: format!(
                    "an unfinished run may have recorded `{from}`; when it resumes, it comes to `{to}`, which is not in its journal, and is held"
                ),
                instead: format!("keep the id `{from}`; you may change what the step does, and the code around it"),
            },
            Self::StepRemoved { id } => Harm {
                why: format!(
                    "an unfinished run may have recorded `{id}`; when it resumes, it does not come to that step, and is held"
                ),
                instead: "keep the step until the runs that may have passed it are over; it may do nothing"
                    .to_owned(),
            },
            Self::StepInserted { id, before: Some(before) } => Harm {
                why: format!(
                    "an unfinished run may have recorded `{before}` already; when it resumes, it comes to `{id}` first, which is not in its journal, and is held"
                ),
                instead: "add the step after the last one, or put its work into an existing step"
                    .to_owned(),
            },
            Self::StepInserted { id, before: None } => Harm {
                why: format!(
                    "an unfinished run may have gone on without it; when the run resumes, it comes to `{id}`, which is not in its journal, and is held"
                ),
                instead: "add the step where the run was over, or put its work into an existing step"
                    .to_owned(),
            },
            Self::StepMoved { .. } => Harm {
                why: "an unfinished run may have recorded the steps in their old order; when it resumes, it comes to them in another order, and is held"
                    .to_owned(),
                instead: "keep the old order".to_owned(),
            },
            Self::DerivedRenamed { from, .. } => Harm {
                why: format!(
                    "the value is derived from the id; an unfinished run that used `{from}` would go on with another value, and effects that use it as their key would happen twice"
                ),
                instead: format!("keep the id `{from}`"),
            },
            Self::Rewired { .. } => Harm {
                why: "an unfinished run may have taken a way that is gone, or would now take another one; when it resumes, it contradicts its journal, and is held"
                    .to_owned(),
                instead: "keep the order in which steps may follow one another, or write a workflow with another id for new runs"
                    .to_owned(),
            },
            Self::SettingRemoved { setting } => {
                // A run that is under way does not notice when others start.
                let step = setting.strip_prefix(UNDO)?.trim();
                Harm {
                    why: format!(
                        "an unfinished run may have committed `{step}`, to be undone if it fails; if it fails, it finds no undo, and is held"
                    ),
                    instead: "keep the undo until the runs that may have passed the step are over; it may do nothing"
                        .to_owned(),
                }
            }
            Self::EventRemoved => Harm {
                why: "events that were accepted but not yet routed would start nothing, and unfinished runs that wait for such an event would wait for ever"
                    .to_owned(),
                instead: "keep the event in `app!` until those events are routed and those runs are over".to_owned(),
            },
            Self::FieldRemoved { path } => Harm {
                why: format!(
                    "an unfinished run that has read `{path}` may take another way when it resumes without the field; and while you deploy, the program before may not be able to read what this one sends"
                ),
                instead: "make the field optional and stop reading it; remove it once all runs that began before are over"
                    .to_owned(),
            },
            Self::FieldRequired { path, .. } => Harm {
                why: format!(
                    "stored data may lack `{path}`; runs that it started could not resume, and it could not start new ones"
                ),
                instead: "make it an `Option`, or give it a default with `#[serde(default)]`".to_owned(),
            },
            Self::FieldRetyped { from, .. } => Harm {
                why: format!(
                    "stored data has {from} there, and could not be read; runs that it started could not resume, and it could not start new ones"
                ),
                instead: "add an optional field of the new type, or use a type that reads both"
                    .to_owned(),
            },
        };
        Some(harm)
    }
}

/// What a breaking change does to an unfinished run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Harm {
    pub why: String,
    pub instead: String,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(name) => write!(f, "app `{name}`"),
            Self::Event(name) => write!(f, "event `{name}`"),
            Self::Workflow(id) => write!(f, "workflow `{id}`"),
        }
    }
}

/// What the first parameter is.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bare => "a single trigger",
            Self::Named => "one of several triggers",
            Self::Listed => "a list of events",
        })
    }
}

/// What happened, as the rest of a line that begins with the subject.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AppRenamed { from, to } => write!(f, "`{from}` was renamed to `{to}`"),
            Self::WorkflowAdded | Self::EventAdded => f.write_str("new"),
            Self::WorkflowRemoved | Self::EventRemoved => f.write_str("removed"),
            Self::TriggerAdded { event } => write!(f, "`{event}` now starts it, too"),
            Self::TriggerRemoved { event } => write!(f, "`{event}` no longer starts it"),
            Self::FormChanged { from, to } => {
                write!(f, "the first parameter was {from} and is now {to}")
            }
            Self::KindChanged { id, from, to } => {
                write!(f, "the step `{id}` was a `{from}` and is now a `{to}`")
            }
            Self::AwaitedChanged { id, from, to } => {
                write!(f, "the step `{id}` waited for `{from}` and now waits for `{to}`")
            }
            Self::StepRenamed { from, to } => {
                write!(f, "the step `{from}` was renamed to `{to}`")
            }
            Self::StepRemoved { id } => write!(f, "the step `{id}` was removed"),
            Self::StepInserted { id, before: Some(before) } => {
                write!(f, "the step `{id}` was inserted before `{before}`")
            }
            Self::StepInserted { id, before: None } => {
                write!(f, "the step `{id}` was inserted at a place where runs went on without it")
            }
            Self::StepAppended { id } => write!(f, "the step `{id}` was added at the end"),
            Self::StepMoved { id, before: Some(before) } => {
                write!(f, "the step `{id}` was moved before `{before}`")
            }
            Self::StepMoved { id, before: None } => {
                write!(f, "the step `{id}` was moved to the end")
            }
            Self::DerivedRenamed { from, to } => {
                write!(f, "the value `{from}` was renamed to `{to}`")
            }
            Self::Rewired { gone, come } => {
                let come = come.iter().map(|(from, to)| format!("{to} may now follow {from}"));
                let gone = gone.iter().map(|(from, to)| format!("{to} no longer follows {from}"));
                f.write_str(&come.chain(gone).collect::<Vec<_>>().join(", "))
            }
            Self::SettingAdded { setting } => write!(f, "`{setting}` was added"),
            Self::SettingRemoved { setting } => write!(f, "`{setting}` was removed"),
            Self::Redrawn => {
                f.write_str("the graph is written differently, but is the same for every run")
            }
            Self::FieldAdded { path } => write!(f, "the optional field `{path}` is new"),
            Self::FieldRemoved { path } => write!(f, "the field `{path}` was removed"),
            Self::FieldRequired { path, new: true } => {
                write!(f, "the field `{path}` is new and required")
            }
            Self::FieldRequired { path, new: false } => {
                write!(f, "the field `{path}` was optional and is now required")
            }
            Self::FieldOptional { path } => write!(f, "the field `{path}` has become optional"),
            Self::FieldWidened { path, from, to } => {
                write!(f, "the field `{path}` was {from} and now takes {to}")
            }
            Self::FieldRetyped { path, from, to } => {
                write!(f, "the type of the field `{path}` was {from} and is now {to}")
            }
        }
    }
}
