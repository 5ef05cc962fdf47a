//! When an item expires, with memcached's 30-day rule applied.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Up to this many seconds the protocol's number counts from now, beyond it from 1970.
const MAX_RELATIVE: u64 = 30 * 24 * 60 * 60;

/// When an item expires.
///
/// The protocol has one 32-bit number for it: 0 is never, up to 30 days it counts seconds from now, and a larger
/// one is a Unix time. So 31 days, written as seconds, is a moment in 1970, and the item is gone at once. This type gets
/// it right whatever the duration.
///
/// ```
/// use omcache::Expiration;
/// use std::time::Duration;
///
/// assert_eq!(Expiration::NEVER.as_raw(), 0);
/// assert_eq!(Expiration::after(Duration::from_secs(60)).as_raw(), 60);
/// assert_eq!(Expiration::after(Duration::from_millis(1)).as_raw(), 1); // rounded up, never "never"
/// let month = Duration::from_secs(31 * 24 * 3600);
/// assert!(Expiration::after(month).as_raw() > 1_700_000_000); // a Unix time
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Expiration(u32);

impl Expiration {
    /// The item does not expire. (The server may still evict it.)
    pub const NEVER: Self = Self(0);
    /// The item is expired as soon as it is stored.
    pub const IMMEDIATELY: Self = Self(MAX_RELATIVE as u32 + 1);

    /// After a time, counted in whole seconds, rounded up. Zero is [`Expiration::IMMEDIATELY`]. The clock is read for
    /// times of more than 30 days; what lies beyond the year 2106 is brought down to it.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        if time.is_zero() {
            return Self::IMMEDIATELY;
        }
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        if seconds <= MAX_RELATIVE {
            return Self(clamp(seconds));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self(clamp(now.saturating_add(seconds)))
    }

    /// At a moment. One that has passed is [`Expiration::IMMEDIATELY`] to the server.
    #[must_use]
    pub fn at(moment: SystemTime) -> Self {
        let seconds = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self(clamp(seconds).max(Self::IMMEDIATELY.0))
    }

    /// The protocol's own number, as programs for other clients have it.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The protocol's number.
    #[must_use]
    pub const fn as_raw(self) -> u32 {
        self.0
    }
}

/// From a time, as [`Expiration::after`].
impl From<Duration> for Expiration {
    fn from(time: Duration) -> Self {
        Self::after(time)
    }
}

fn clamp(seconds: u64) -> u32 {
    // The largest number means "do not create" to the counters.
    u32::try_from(seconds).unwrap_or(u32::MAX).min(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_days_is_the_last_relative_time() {
        assert_eq!(Expiration::after(Duration::from_secs(MAX_RELATIVE)).as_raw(), 2_592_000);
        let beyond = Expiration::after(Duration::from_secs(MAX_RELATIVE + 1)).as_raw();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
        assert!(beyond >= now + 2_592_001 - 5 && beyond <= now + 2_592_001 + 5, "{beyond}");
        // A time a little below 30 days must not be rounded over the edge.
        let edge = Duration::from_secs(MAX_RELATIVE - 1) + Duration::from_nanos(1);
        assert_eq!(Expiration::after(edge).as_raw(), 2_592_000);
    }

    #[test]
    fn what_has_passed_is_not_taken_for_a_time_from_now() {
        assert_eq!(Expiration::at(UNIX_EPOCH), Expiration::IMMEDIATELY);
        assert_eq!(Expiration::at(UNIX_EPOCH + Duration::from_secs(60)), Expiration::IMMEDIATELY);
        assert_eq!(Expiration::after(Duration::ZERO), Expiration::IMMEDIATELY);
        assert_eq!(Expiration::after(Duration::MAX).as_raw(), u32::MAX - 1);
    }
}
