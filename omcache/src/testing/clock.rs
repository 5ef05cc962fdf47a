//! The server's clock: real time, and what a test added to it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Real time that only goes forward, plus what [`Clock::advance`] added.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    /// Unix time at `started`.
    since: Duration,
    added: Mutex<Duration>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            since: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            added: Mutex::new(Duration::ZERO),
        }
    }

    /// Time since the start, what was added included.
    pub(super) fn uptime(&self) -> Duration {
        let added = *self.added.lock().unwrap_or_else(PoisonError::into_inner);
        self.started.elapsed().saturating_add(added)
    }

    /// Time since 1970.
    pub(super) fn now(&self) -> Duration {
        self.since.saturating_add(self.uptime())
    }

    /// Moves the clock forward.
    pub(super) fn advance(&self, by: Duration) {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        *added = added.saturating_add(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_real_time() {
        let clock = Clock::new();
        let before = clock.now();
        let real = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        assert!(before.abs_diff(real) < Duration::from_secs(5), "{before:?} {real:?}");

        clock.advance(Duration::from_secs(1000));
        clock.advance(Duration::from_secs(500));
        let passed = clock.now() - before;
        assert!(passed >= Duration::from_secs(1500) && passed < Duration::from_secs(1505), "{passed:?}");
        assert!(clock.uptime() >= Duration::from_secs(1500));
    }

    #[test]
    fn it_stops_at_the_end_of_time() {
        let clock = Clock::new();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Duration::MAX);
    }
}
