//! What a ticket is about, how much it hurries and who should know how to help: by rules, or by a
//! language model where a key for one is configured.

mod openai;
mod rules;

use std::sync::Arc;
use std::{env, fmt};

use async_trait::async_trait;
use indelible::prelude::*;

use self::openai::OpenAi;
use self::rules::Rules;
use crate::desk::Ticket;

/// What an analyser makes of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Analysis {
    pub(crate) priority: Priority,
    /// For whoever will answer the ticket.
    pub(crate) notes: String,
    /// What one has to know about to answer it.
    pub(crate) skills: Vec<String>,
}

/// How much a ticket hurries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Priority {
    Low,
    Medium,
    High,
}

/// Something that understands tickets.
#[async_trait]
pub(crate) trait Analyser: Send + Sync {
    /// Reads a ticket.
    async fn analyse(&self, ticket: &Ticket) -> Result<Analysis, Failure>;
}

/// The analyser that the environment asks for: a language model if `HELP_DESK_AI_KEY` is set, else
/// rules.
pub(crate) fn from_env() -> Arc<dyn Analyser> {
    match env::var("HELP_DESK_AI_KEY") {
        Ok(key) => Arc::new(OpenAi::new(
            &env::var("HELP_DESK_AI_URL").unwrap_or_else(|_| openai::DEFAULT_URL.to_owned()),
            env::var("HELP_DESK_AI_MODEL").unwrap_or_else(|_| openai::DEFAULT_MODEL.to_owned()),
            key,
        )),
        Err(_) => Arc::new(Rules),
    }
}

/// An analyser that goes by rules.
#[cfg(test)]
pub(crate) fn rules() -> Arc<dyn Analyser> {
    Arc::new(Rules)
}

impl Priority {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Understands what somebody called it; what is none of the three words is medium.
    pub(crate) fn or_medium(word: &str) -> Self {
        match word.trim().to_lowercase().as_str() {
            "low" => Self::Low,
            "high" => Self::High,
            _ => Self::Medium,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_that_is_none_of_the_three_is_medium() {
        let priorities = ["High", " low ", "medium", "critical", ""].map(Priority::or_medium);
        use Priority::{High, Low, Medium};
        assert_eq!(priorities, [High, Low, Medium, Medium, Medium]);
    }
}
