use syn::Data;

use crate::model::TriggersModel;
use crate::problem::{Problem, Problems};

const EXAMPLE: &str = "enum OnAccount { Opened(AccountOpened), Closed(Received<AccountClosed>) }";

/// Several triggers are the variants of an enum.
pub(crate) fn are_an_enum(model: &TriggersModel, problems: &Problems) {
    let word = match &model.item.data {
        Data::Enum(data) if data.variants.is_empty() => {
            let ident = &model.item.ident;
            return problems.report(
                Problem::at(ident, format!("`{ident}` has no variants, so nothing would start"))
                    .help(EXAMPLE),
            );
        }
        Data::Enum(_) => return,
        Data::Struct(data) => Problem::at(&data.struct_token, "several triggers are an enum"),
        Data::Union(data) => Problem::at(&data.union_token, "several triggers are an enum"),
    };
    problems.report(
        word.note("a run is started by one of them; the body matches on which").help(EXAMPLE),
    );
}

/// An enum of triggers is one type: the store knows each trigger by one name.
pub(crate) fn are_not_generic(model: &TriggersModel, problems: &Problems) {
    let generics = &model.item.generics;
    if !generics.params.is_empty() {
        problems.report(
            Problem::at(&generics.params, "an enum of triggers is not generic")
                .note("the store knows a workflow's triggers by name, before any run begins")
                .help("write an enum for each type"),
        );
    }
}

/// Each variant holds what starts the workflow, and nothing else.
pub(crate) fn hold_one_each(model: &TriggersModel, problems: &Problems) {
    for variant in &model.others {
        let name = &variant.ident;
        problems.report(
            Problem::at(variant, format!("the variant `{name}` does not hold one trigger"))
                .note("it is made from the event that starts the run, and from nothing else")
                .help(format!(
                    "{name}(AccountOpened), or {name}(Received<AccountOpened>) for its id and time"
                )),
        );
    }
}
