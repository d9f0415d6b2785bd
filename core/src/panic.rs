//! Panics of user code, caught.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::error_record::{ErrorKind, ErrorRecord};

thread_local! {
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs user code and turns a panic in it into an error that says where it happened.
///
/// A panic's place is known only to the panic hook, so the first call puts one before the hook that
/// the program has; that one is still called.
pub fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Box<ErrorRecord>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |panic| {
            let location = panic.location().map(ToString::to_string);
            LOCATION.with(|place| *place.borrow_mut() = location);
            previous(panic);
        }));
    });
    // A panic that the user's code caught has left its own place.
    LOCATION.with(RefCell::take);
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        Box::new(ErrorRecord {
            location: LOCATION.with(RefCell::take),
            ..ErrorRecord::new(ErrorKind::Panic, message(&*payload))
        })
    })
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic with a payload that is not text".to_owned())
}
