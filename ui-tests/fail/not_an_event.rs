use indelible::prelude::*;

#[derive(Event)]
#[event(name = "ticket/created")]
struct Bare {
    ticket: u32,
}

fn main() {}
