use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// The two crates that are compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Plain,
    Durable,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Durable => "durable",
        }
    }

    /// A step, or what it does.
    fn step(self, id: &str, future: &str) -> String {
        match self {
            Self::Plain => format!("{future}.await"),
            Self::Durable => format!("step.run(\"{id}\", {future}).await"),
        }
    }
}

/// What the functions of both crates work with.
const COMMON: &str = r#"//! Generated to be measured.

use indelible::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    pub id: u32,
    pub amount: u64,
    pub name: String,
}

pub async fn fetch(id: u32) -> std::io::Result<Order> {
    Ok(Order { id, amount: 1, name: String::new() })
}

pub async fn store(order: &Order, note: &str) -> std::io::Result<u64> {
    Ok(order.amount + note.len() as u64)
}

pub async fn tell(name: &str) -> std::io::Result<()> {
    assert!(name.len() < 100);
    Ok(())
}

pub async fn rest() {}
"#;

/// Writes a workspace of both crates, with the locked dependencies of this one.
pub(super) fn workspace(folder: &Path, root: &Path, workflows: usize) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let members = "[workspace]\nmembers = [\"plain\", \"durable\"]\nresolver = \"3\"\n";
    fs::write(folder.join("Cargo.toml"), members)?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let runtime = root.join("runtime").canonicalize()?;
    for kind in [Kind::Plain, Kind::Durable] {
        let package = folder.join(kind.name());
        fs::create_dir_all(package.join("src"))?;
        let manifest = format!(
            "[package]\nname = \"{}\"\nedition = \"2024\"\n\n[dependencies]\nindelible = {{ path = \
             {runtime:?} }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n",
            kind.name(),
        );
        fs::write(package.join("Cargo.toml"), manifest)?;
        let mut source = COMMON.to_owned();
        for number in 0..workflows {
            source.push_str(&function(kind, number));
        }
        fs::write(package.join("src/lib.rs"), source)?;
    }
    Ok(())
}

/// A function of ten steps, with a branch, a loop and a `match`.
fn function(kind: Kind, number: usize) -> String {
    let (attribute, parameters, rest) = match kind {
        Kind::Plain => ("", "input: u32", "rest().await;"),
        Kind::Durable => (
            "#[workflow(input)]\n",
            "input: u32, step: Step",
            "step.sleep(\"rest\", \"1h\").await;",
        ),
    };
    let mut text = String::new();
    let _ = write!(
        text,
        r#"
{attribute}pub async fn handle_{number}({parameters}) -> Result<u64, Failure> {{
    let order = {fetch}?;
    let mut total = {store_first}?;
    if total > 10 {{
        {tell_large}?;
    }} else {{
        {tell_small}?;
    }}
    for part in 0..3u64 {{
        total += {store_part}?;
    }}
    {rest}
    let again = {fetch_again}?;
    match again.amount {{
        0 => {store_none}?,
        _ => {store_some}?,
    }};
    {tell_last}?;
    Ok(total)
}}
"#,
        fetch = kind.step("fetch", "fetch(input)"),
        store_first = kind.step("store-first", "store(&order, \"first\")"),
        tell_large = kind.step("tell-large", "tell(&order.name)"),
        tell_small = kind.step("tell-small", "tell(\"small\")"),
        store_part = kind.step("store-part", "store(&order, &format!(\"{part}\"))"),
        fetch_again = kind.step("fetch-again", "fetch(order.id)"),
        store_none = kind.step("store-none", "store(&again, \"none\")"),
        store_some = kind.step("store-some", "store(&again, \"some\")"),
        tell_last = kind.step("tell-last", "tell(&again.name)"),
    );
    text
}
