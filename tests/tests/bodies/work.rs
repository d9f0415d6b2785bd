//! What the steps of the bodies do. It leaves a trace in a log, which is the world as far as the
//! bodies know it.

use std::cell::RefCell;
use std::io;

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// All that was done, in order.
pub(crate) fn log() -> Vec<String> {
    LOG.with_borrow(Clone::clone)
}

/// Makes the world as it was when only this had been done.
pub(crate) fn restore(done: &[String]) {
    LOG.set(done.to_vec());
}

/// Does something; how often it has been done before.
fn note(what: &str) -> usize {
    LOG.with_borrow_mut(|log| {
        let before = log.iter().filter(|done| *done == what).count();
        log.push(what.to_owned());
        before
    })
}

/// Does something, and gives `value`.
pub(crate) async fn work<T>(what: impl AsRef<str>, value: T) -> io::Result<T> {
    note(what.as_ref());
    Ok(value)
}

/// Does something as soon as something else has been done.
pub(crate) async fn after<T>(other: &str, what: &str, value: T) -> io::Result<T> {
    while !LOG.with_borrow(|log| log.iter().any(|done| done == other)) {
        tokio::task::yield_now().await;
    }
    work(what, value).await
}

/// Does something that never succeeds.
pub(crate) async fn refuse<T>(what: impl AsRef<str>) -> io::Result<T> {
    note(what.as_ref());
    Err(io::Error::other(format!("{} is refused", what.as_ref())))
}

/// Does something that succeeds only when it has failed so many times.
pub(crate) async fn flaky<T>(what: impl AsRef<str>, failures: usize, value: T) -> io::Result<T> {
    match note(what.as_ref()) {
        before if before < failures => Err(io::Error::other(format!("{before} is not enough"))),
        _ => Ok(value),
    }
}
