use clap::ValueEnum;

use super::answer::Answer;
use crate::step::Definition;

/// A language for graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[non_exhaustive]
pub enum Format {
    /// Mermaid, which GitHub and many editors can show
    #[default]
    Mermaid,
    /// DOT, the language of Graphviz
    Dot,
    /// JSON, for programs
    Json,
}

/// Draws one workflow, or all.
pub(super) fn draw(workflows: &[Definition], id: Option<&str>, format: Format) -> Answer {
    let Some(id) = id else { return all(workflows, format) };
    match workflows.iter().find(|workflow| workflow.id == id) {
        Some(workflow) => Answer::default().line(one(workflow, format).trim_end()),
        None => unknown(workflows, id),
    }
}

fn all(workflows: &[Definition], format: Format) -> Answer {
    if format == Format::Json {
        let graphs: serde_json::Map<_, _> = workflows
            .iter()
            .map(|workflow| (workflow.id.to_owned(), workflow.graph.to_json()))
            .collect();
        return Answer::default().line(format!("{:#}", serde_json::Value::from(graphs)));
    }
    workflows.iter().fold(Answer::default(), |answer, workflow| match format {
        Format::Mermaid => answer.line(format!("%% {}\n{}", workflow.id, one(workflow, format))),
        _ => answer.line(one(workflow, format)),
    })
}

fn one(workflow: &Definition, format: Format) -> String {
    match format {
        Format::Mermaid => workflow.graph.to_mermaid(),
        Format::Dot => workflow.graph.to_dot(workflow.id),
        Format::Json => format!("{:#}", workflow.graph.to_json()),
    }
}

fn unknown(workflows: &[Definition], id: &str) -> Answer {
    let mut answer = Answer::failed(2).line(format!("error: no workflow has the id `{id}`"));
    let closest = workflows
        .iter()
        .map(|workflow| (strsim::jaro_winkler(workflow.id, id), workflow.id))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, closest)) = closest {
        answer = answer.line(format!("  = help: did you mean `{closest}`?"));
    }
    let ids: Vec<_> = workflows.iter().map(|workflow| format!("`{}`", workflow.id)).collect();
    match ids.is_empty() {
        true => answer.line("  = note: the app has no workflows"),
        false => answer.line(format!("  = note: the app has {}", ids.join(", "))),
    }
}
