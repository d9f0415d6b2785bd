use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::LitStr;
use syn::spanned::Spanned as _;

use super::called;
use crate::model::{Step, StepId, WorkflowModel};

/// What undoes the steps of a body, for a constant: it is called when the body is gone.
pub(super) fn of(workflow: &WorkflowModel) -> Vec<TokenStream> {
    let mut helpers = HashSet::new();
    let undos = workflow.steps.iter().filter_map(|step| {
        let StepId::Literal(id, name) = &step.id else { return None };
        match called::helper("UNDOS", step) {
            Some(undos) => helpers
                .insert(name)
                .then(|| quote!(__private::Undo::Helper { id: #id, undos: #undos })),
            None => undo(id, step, workflow),
        }
    });
    undos.collect()
}

fn undo(id: &LitStr, step: &Step, workflow: &WorkflowModel) -> Option<TokenStream> {
    // One that is known in the body alone was reported.
    let function = step.undo().filter(|undo| workflow.own_undo(undo).is_none())?;
    Some(quote_spanned!(function.span()=> __private::undo!(#id, #function)))
}
