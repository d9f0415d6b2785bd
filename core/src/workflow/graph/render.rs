use std::fmt::Write as _;

use super::{Edge, Graph, Node};

impl Graph {
    /// The graph as a Mermaid state diagram.
    ///
    /// <https://mermaid.js.org/syntax/stateDiagram.html>
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("stateDiagram-v2\n");
        for (index, state) in self.states().iter().enumerate() {
            let _ = writeln!(text, "    s{index} : {}", state.id);
            if let Some(undo) = state.undo {
                let _ = writeln!(text, "    note right of s{index} : undo {}", mermaid_text(undo));
            }
        }
        for node in self.places() {
            match node {
                Node::Fork(number) => {
                    let _ = writeln!(text, "    state fork{number} <<fork>>");
                }
                Node::Join(number) => {
                    let _ = writeln!(text, "    state join{number} <<join>>");
                }
                Node::Failed => text.push_str("    state failed\n"),
                Node::Restarted => text.push_str("    state restart\n"),
                Node::Start | Node::State(_) | Node::End => {}
            }
        }
        for Edge { from, to, condition } in self.edges() {
            let _ = write!(text, "    {} --> {}", mermaid(from), mermaid(to));
            if !condition.is_empty() {
                let _ = write!(text, " : {}", mermaid_text(condition));
            }
            text.push('\n');
        }
        text
    }

    /// The graph in the DOT language of Graphviz.
    ///
    /// <https://graphviz.org/doc/info/lang.html>
    pub fn to_dot(&self, name: &str) -> String {
        let mut text =
            format!("digraph {} {{\n    node [shape=box, style=rounded];\n", quoted(name));
        for (index, state) in self.states().iter().enumerate() {
            let label = match state.undo {
                Some(undo) => quoted(&format!("{} (undo {undo})", state.id)),
                None => quoted(state.id),
            };
            let _ =
                writeln!(text, "    s{index} [label={label}, tooltip=\"line {}\"];", state.line);
        }
        for node in self.places() {
            let shape = match node {
                Node::Start => "shape=circle, style=filled, label=\"\"",
                Node::End => "shape=doublecircle, style=filled, label=\"\"",
                Node::Failed => "shape=doublecircle, label=\"failed\"",
                Node::Restarted => "shape=doublecircle, label=\"restart\"",
                Node::Fork(_) | Node::Join(_) => "shape=box, style=filled, height=0.05, label=\"\"",
                Node::State(_) => continue,
            };
            let _ = writeln!(text, "    {} [{shape}];", dot(node));
        }
        for Edge { from, to, condition } in self.edges() {
            let _ = write!(text, "    {} -> {}", dot(from), dot(to));
            if !condition.is_empty() {
                let _ = write!(text, " [label={}]", quoted(condition));
            }
            text.push_str(";\n");
        }
        text.push_str("}\n");
        text
    }

    /// The graph as JSON: its states, edges and allowed rules.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "states": self.states(),
            "edges": self.edges(),
            "allowed": self.allowed,
        })
    }

    /// Each place that an edge touches, once, in the order of the edges.
    fn places(&self) -> Vec<Node> {
        let mut places = Vec::new();
        for node in self.edges().iter().flat_map(|edge| [edge.from, edge.to]) {
            if !places.contains(&node) {
                places.push(node);
            }
        }
        places
    }
}

fn mermaid(node: Node) -> String {
    match node {
        Node::Start | Node::End => "[*]".to_owned(),
        other => dot(other),
    }
}

fn dot(node: Node) -> String {
    match node {
        Node::Start => "start".to_owned(),
        Node::State(index) => format!("s{index}"),
        Node::Fork(number) => format!("fork{number}"),
        Node::Join(number) => format!("join{number}"),
        Node::End => "end".to_owned(),
        Node::Failed => "failed".to_owned(),
        Node::Restarted => "restart".to_owned(),
    }
}

/// Mermaid reads these as its own; it knows the entities of HTML by number.
fn mermaid_text(text: &str) -> String {
    text.chars().fold(String::new(), |mut safe, c| {
        match c {
            ':' | ';' | '#' | '<' | '>' | '{' | '}' | '"' => {
                let _ = write!(safe, "#{};", u32::from(c));
            }
            other => safe.push(other),
        }
        safe
    })
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAPH: Graph = Graph::written(
        "3 run fetch\n5 run tell untell\n6 sleep rest",
        "start 0\n0 failed name == \"x\"\n0 fork0 else\nfork0 1\nfork0 2\n1 join0\n2 join0\n\
         join0 end",
    );

    #[test]
    fn mermaid_draws_every_state_and_edge() {
        let expected = "\
stateDiagram-v2
    s0 : fetch
    s1 : tell
    note right of s1 : undo untell
    s2 : rest
    state failed
    state fork0 <<fork>>
    state join0 <<join>>
    [*] --> s0
    s0 --> failed : name == #34;x#34;
    s0 --> fork0 : else
    fork0 --> s1
    fork0 --> s2
    s1 --> join0
    s2 --> join0
    join0 --> [*]
";
        assert_eq!(GRAPH.to_mermaid(), expected);
    }

    #[test]
    fn dot_draws_every_state_and_edge() {
        let dot = GRAPH.to_dot("on-ticket");
        assert!(dot.starts_with("digraph \"on-ticket\" {"), "{dot}");
        assert!(dot.contains("s0 [label=\"fetch\", tooltip=\"line 3\"];"), "{dot}");
        assert!(dot.contains("s1 [label=\"tell (undo untell)\", tooltip=\"line 5\"];"), "{dot}");
        assert!(dot.contains("s0 -> failed [label=\"name == \\\"x\\\"\"];"), "{dot}");
        assert_eq!(dot.matches(" -> ").count(), GRAPH.edges().len());
    }

    #[test]
    fn json_tells_nodes_apart() {
        let json = GRAPH.to_json();
        assert_eq!(json["edges"][2]["from"], serde_json::json!({ "state": 0 }));
        assert_eq!(json["edges"][0]["from"], "start");
        assert_eq!(json["states"][2]["kind"], "sleep");
    }
}
