//! Bounded waits and bounded calls.

use std::thread;
use std::time::{Duration, Instant};

/// Polls a condition until it holds; fails when its time is over.
pub(crate) fn until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Makes a call and fails where it took longer.
pub(crate) fn within<T>(limit: Duration, what: &str, call: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = call();
    let taken = start.elapsed();
    assert!(taken < limit, "{what} took {taken:?}, not less than {limit:?}");
    result
}

/// Milliseconds, short to write.
pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}
