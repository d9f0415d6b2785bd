use crate::parse::{AppSyntax, is_kebab_case, to_kebab_case};
use crate::problem::{Problem, Problems};

/// An app's name is kebab-case.
pub(crate) fn name_is_kebab_case(app: &AppSyntax, problems: &Problems) {
    let name = app.name.value();
    if is_kebab_case(&name) {
        return;
    }
    let suggestion = match to_kebab_case(&name) {
        kebab if is_kebab_case(&kebab) => kebab,
        _ => to_kebab_case(&app.ident.to_string()),
    };
    problems.report(
        Problem::at(&app.name, format!("the app's name `{name}` is not kebab-case"))
            .note("the store files runs and events under this name")
            .help(format!("write \"{suggestion}\"")),
    );
}
