//! Which module imports which: downwards only, and never in a circle.
//!
//! CONTRIBUTING.md gives each top module of a crate its floor. A module may import from floors below its
//! own. Within a module files may not import one another in a circle. Code for tests alone may import
//! whatever it wants.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use self::imports::Import;
use crate::Problem;
use crate::cargo::Stopped;

/// Where the floors are told.
const PLAN: &str = "CONTRIBUTING.md";

/// The crates whose modules have floors.
const CRATES: [&str; 3] = ["core", "runtime", "macros"];

/// Fails with a list of all imports that go up or round.
pub(crate) fn check() -> Result<(), Stopped> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let plan = fs::read_to_string(root.join(PLAN))
        .map_err(|error| Problem(format!("cannot read {PLAN}: {error}")))?;
    let mut faults = Vec::new();
    for name in CRATES {
        let floors = floors(&plan, name);
        let source = root.join(name).join("src");
        let imports = imports::of(&source).map_err(Problem)?;
        faults.extend(judge(name, &floors, &imports));
    }
    if faults.is_empty() {
        return Ok(());
    }
    let mut list = String::new();
    for fault in &faults {
        let _ = write!(list, "\n  {fault}");
    }
    Err(Problem(format!("{} imports do not go down:{list}", faults.len())).into())
}

/// The floors of a crate's top modules, as the plan tells them in the table below the crate's heading:
/// ``| floor | `module`, `module` | .. |``, the lowest first.
fn floors(plan: &str, name: &str) -> BTreeMap<String, usize> {
    let heading = format!("### `{name}`");
    let below = plan.lines().skip_while(|line| *line != heading).skip(1);
    let section = below.take_while(|line| !line.starts_with('#'));
    let mut floors = BTreeMap::new();
    for line in section {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let Some(Ok(floor)) = cells.next().map(str::parse) else { continue };
        let modules = cells.next().unwrap_or_default().split(',');
        floors.extend(modules.map(|module| (module.trim().trim_matches('`').to_owned(), floor)));
    }
    floors
}

fn judge(name: &str, floors: &BTreeMap<String, usize>, imports: &[Import]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut unknown = BTreeSet::new();
    let top = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    for Import { from, to } in imports {
        let (upper, lower) = (top(from), top(to));
        // A crate's root declares its modules and what is public of them.
        if upper == lower || upper.is_empty() || lower.is_empty() {
            continue;
        }
        match (floors.get(&upper), floors.get(&lower)) {
            (Some(upper), Some(lower)) if lower < upper => {}
            (Some(_), Some(_)) => faults.push(format!("{name}: `{from}` imports from `{to}`")),
            (None, _) => _ = unknown.insert(upper),
            (_, None) => _ = unknown.insert(lower),
        }
    }
    faults.extend(unknown.iter().map(|module| format!("{name}: {PLAN} gives `{module}` no floor")));
    let known: BTreeSet<String> =
        imports.iter().flat_map(|import| [top(&import.from), top(&import.to)]).collect();
    let gone = floors.keys().filter(|module| !known.contains(*module));
    faults.extend(
        gone.map(|module| format!("{name}: {PLAN} speaks of `{module}`, which is not there")),
    );
    for circle in circles(imports) {
        let is_within =
            |import: &&Import| circle.contains(&import.from) && circle.contains(&import.to);
        let arrows = imports.iter().filter(is_within);
        let arrows: Vec<String> =
            arrows.map(|Import { from, to }| format!("`{from}` from `{to}`")).collect();
        faults.push(format!("{name}: these go round: {}", arrows.join(", ")));
    }
    faults.sort();
    faults.dedup();
    faults
}

/// The groups of files that import one another in a circle.
fn circles(imports: &[Import]) -> Vec<Vec<String>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Import { from, to } in imports {
        next.entry(from).or_default().insert(to);
    }
    let reach = |start: &str| {
        let mut reached = BTreeSet::new();
        let mut left = vec![start];
        while let Some(module) = left.pop() {
            for to in next.get(module).into_iter().flatten() {
                if reached.insert(*to) {
                    left.push(to);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        next.keys().map(|module| (*module, reach(module))).collect();
    let mut circles = BTreeSet::new();
    for (module, beyond) in &reached {
        if beyond.contains(module) {
            let back = |other: &&str| reached.get(other).is_some_and(|far| far.contains(module));
            circles.insert(beyond.iter().copied().filter(back).map(str::to_owned).collect());
        }
    }
    circles.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "
### `house`

| floor | modules | what |
|---|---|---|
| 1 | `cellar` | coal |
| 2 | `kitchen`, `hall` | people |

### `barn`

| 1 | `hay` | |
";

    fn import(from: &str, to: &str) -> Import {
        Import { from: from.to_owned(), to: to.to_owned() }
    }

    #[test]
    fn floors_are_read_from_the_plan() {
        let floors = floors(PLAN, "house");
        let floors: Vec<_> = floors.iter().map(|(name, floor)| (name.as_str(), *floor)).collect();
        assert_eq!(floors, [("cellar", 1), ("hall", 2), ("kitchen", 2)]);
    }

    #[test]
    fn only_imports_from_below_pass() {
        let floors = floors(PLAN, "house");
        let down = [import("kitchen::stove", "cellar"), import("hall", "cellar::coal")];
        assert_eq!(judge("house", &floors, &down), [] as [String; 0]);
        let up = [down[0].clone(), down[1].clone(), import("cellar", "hall::door")];
        let faults = judge("house", &floors, &up);
        assert!(
            faults.contains(&"house: `cellar` imports from `hall::door`".to_owned()),
            "{faults:?}"
        );
        let level = [down[0].clone(), import("hall", "kitchen")];
        assert_eq!(judge("house", &floors, &level), ["house: `hall` imports from `kitchen`"]);
        let unknown = [down[0].clone(), import("hall", "attic")];
        assert_eq!(
            judge("house", &floors, &unknown),
            ["house: CONTRIBUTING.md gives `attic` no floor"]
        );
    }

    #[test]
    fn circles_are_found_however_long() {
        let round = [
            import("hall::a", "hall::b"),
            import("hall::b", "hall::c"),
            import("hall::c", "hall::a"),
            import("hall::d", "hall::a"),
        ];
        assert_eq!(circles(&round), [["hall::a", "hall::b", "hall::c"]]);
        assert_eq!(circles(&round[1..]), [[] as [&str; 0]; 0]);
    }
}
