//! A moment on the driver's clock, counted from an origin that the driver chooses.

use std::ops::Add;
use std::time::Duration;

/// A moment, in nanoseconds since an origin that the driver chooses once.
///
/// The standard library's `Instant` can only be made by reading the clock; this one can be made up, so that tests
/// simulate time. Arithmetic saturates: "for ever" is [`Instant::FAR_FUTURE`], about 584 years after the origin.
///
/// ```
/// use omcache_conn::Instant;
/// use std::time::Duration;
///
/// let later = Instant::ORIGIN + Duration::from_millis(1500);
/// assert_eq!(later.since(Instant::ORIGIN), Duration::from_millis(1500));
/// assert_eq!(Instant::ORIGIN.since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment that the driver counts from.
    pub const ORIGIN: Self = Self(0);
    /// A moment that is never reached.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment so many milliseconds later.
    #[inline]
    #[must_use]
    pub const fn after_millis(self, msec: u64) -> Self {
        Self(self.0.saturating_add(msec.saturating_mul(1_000_000)))
    }

    /// The moment so many nanoseconds later.
    #[inline]
    #[must_use]
    pub(crate) const fn after_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    #[inline]
    fn add(self, duration: Duration) -> Self {
        let nanos = duration
            .as_secs()
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(duration.subsec_nanos()));
        Self(self.0.saturating_add(nanos))
    }
}
