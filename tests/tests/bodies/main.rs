//! The whole of Rust in bodies. Each body is compiled twice from the same tokens, as a workflow and
//! as a plain async function; both have to give the same and do the same, and the workflow has to
//! resume after each of its commits without doing again what was committed.

// The bodies are written in every form that users write, the roundabout ones too.
#![allow(clippy::all, unused_braces, non_snake_case, reason = "style is not what is tested")]

#[macro_use]
mod harness;
mod plain;
mod work;

mod arguments;
mod branches;
mod carried;
mod concurrency;
mod errors;
mod functions;
mod items;
mod loops;
mod macros;
mod names;
mod patterns;
mod races;
mod references;
mod values;
