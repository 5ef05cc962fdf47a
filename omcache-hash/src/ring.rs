//! A ring of points: sorted once, looked up in constant time by way of a table on the hash's top bits.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::error::BuildError;

/// The most points that a [`Ring`] holds.
pub const MAX_POINTS: usize = u32::MAX as usize >> 2;

// A look-up compares its way through a bucket of up to this many points, and halves a larger one.
const LONG_BUCKET: u32 = 16;

#[derive(Copy, Clone, Debug, Default)]
struct Point {
    hash: u32,
    server: u32,
}

/// Points on a circle of 2^32 hashes, each belonging to a server.
///
/// Points stand in the order of their hashes; points with equal hashes in the order in which they
/// were given. The first `shift` cut off, a hash is the index of a bucket: the table says where in
/// the sorted points each bucket begins, so that a look-up starts within a point or two of its goal.
///
/// ```
/// use omcache_hash::Ring;
///
/// let ring = Ring::new([(100, 0), (200, 1), (200, 2), (300, 0)])?;
/// assert_eq!(ring.server(ring.at_least(150)), 1); // the first of equal points
/// assert_eq!(ring.server(ring.at_least(301)), 0); // round to the first point
/// assert_eq!(ring.server(ring.at_most(299)), 2);
/// # Ok::<(), omcache_hash::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ring {
    // Sorted, and after the last one the first one's server once more, at the greatest hash: a
    // look-up beyond the last point ends there.
    points: Box<[Point]>,
    // Where each bucket begins in `points`; buckets beyond the greatest hash are left out.
    starts: Box<[u32]>,
    shift: u32,
    // Whether some bucket is long, as the hashes of a poor function can make it.
    skewed: bool,
}

impl Ring {
    /// A ring of the points `(hash, server)`.
    ///
    /// # Errors
    ///
    /// [`BuildError::TooManyPoints`] beyond [`MAX_POINTS`]. A ring without points is no error: every
    /// look-up in it gives server 0.
    pub fn new(points: impl IntoIterator<Item = (u32, u32)>) -> Result<Self, BuildError> {
        let points = points.into_iter();
        let mut unsorted = Points::with_capacity(points.size_hint().0.min(MAX_POINTS));
        for (hash, server) in points {
            unsorted.push(hash, server);
        }
        unsorted.into_ring()
    }

    /// How many points there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len().saturating_sub(1)
    }

    /// Whether there is no point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the first point stands whose hash is at least `hash`, wrapping to the first point of
    /// all: 0 to `len()`, where `len()` is the wrapped one.
    #[inline]
    #[must_use]
    pub fn at_least(&self, hash: u32) -> usize {
        let bucket = (hash >> self.shift) as usize;
        let Some(&start) = self.starts.get(bucket) else {
            return self.len();
        };
        if self.skewed {
            return self.at_least_skewed(hash, bucket);
        }
        let mut at = start as usize;
        // Mostly none or one point of the bucket lies below. Which one is as good as random, so the
        // first step is an addition and not a branch.
        if let Some(point) = self.points.get(at) {
            at += usize::from(point.hash < hash);
        }
        while self.points.get(at).is_some_and(|point| point.hash < hash) {
            at += 1;
        }
        at
    }

    #[cold]
    fn at_least_skewed(&self, hash: u32, bucket: usize) -> usize {
        let start = self.starts.get(bucket).map_or(0, |&start| start as usize);
        let end = self.starts.get(bucket + 1).map_or(self.len(), |&end| end as usize);
        let within = self.points.get(start..end).unwrap_or_default();
        start + within.partition_point(|point| point.hash < hash)
    }

    /// Where the last point stands whose hash is at most `hash`, wrapping to the last point of all.
    #[inline]
    #[must_use]
    pub fn at_most(&self, hash: u32) -> usize {
        let mut after = self.at_least(hash);
        let end = self.len();
        while after < end && self.points.get(after).is_some_and(|point| point.hash == hash) {
            after += 1;
        }
        if after == 0 { end.saturating_sub(1) } else { after - 1 }
    }

    /// Whose the point is at that place, 0 to `len()`; beyond, and without points, server 0.
    #[inline]
    #[must_use]
    pub fn server(&self, at: usize) -> usize {
        self.points.get(at).map_or(0, |point| point.server as usize)
    }

    /// The points as `(hash, server)`, in order.
    pub fn points(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.points.iter().take(self.len()).map(|point| (point.hash, point.server))
    }
}

/// Points on their way to a ring.
pub(crate) struct Points(Vec<Point>);

impl Points {
    pub(crate) fn with_capacity(points: usize) -> Self {
        Self(Vec::with_capacity(points))
    }

    #[inline]
    pub(crate) fn push(&mut self, hash: u32, server: u32) {
        self.0.push(Point { hash, server });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same points, of other servers.
    pub(crate) fn renumbered(mut self, server: impl Fn(u32) -> u32) -> Self {
        for point in &mut self.0 {
            point.server = server(point.server);
        }
        self
    }

    // One pass of a radix sort by the buckets, which leaves the table behind; then each bucket,
    // mostly of one point or two, is put in order. All of it keeps equal hashes in the given order.
    pub(crate) fn into_ring(self) -> Result<Ring, BuildError> {
        let unsorted = self.0;
        if unsorted.len() > MAX_POINTS {
            return Err(BuildError::TooManyPoints { given: unsorted.len(), most: MAX_POINTS });
        }
        let greatest = unsorted.iter().map(|point| point.hash).max().unwrap_or_default();
        // Between one and two buckets for a point, over the range that the hashes really use.
        let wanted = usize::BITS - unsorted.len().leading_zeros();
        let shift = (u32::BITS - greatest.leading_zeros()).saturating_sub(wanted);
        let bucket = |point: &Point| (point.hash >> shift) as usize;

        let mut starts: Vec<u32> = vec![0; bucket(&Point { hash: greatest, server: 0 }) + 1];
        for point in &unsorted {
            if let Some(count) = starts.get_mut(bucket(point)) {
                *count += 1;
            }
        }
        let mut sum = 0;
        let mut longest = 0;
        for start in &mut starts {
            let count = core::mem::replace(start, sum);
            longest = longest.max(count);
            sum += count;
        }
        let mut points = vec![Point::default(); unsorted.len() + 1];
        for point in &unsorted {
            if let Some(next) = starts.get_mut(bucket(point)) {
                if let Some(place) = points.get_mut(*next as usize) {
                    *place = *point;
                }
                *next += 1;
            }
        }
        // Filling has moved each start to its bucket's end: the next one's beginning.
        let mut begin = 0;
        for start in &mut starts {
            let end = core::mem::replace(start, begin);
            if let Some(bucket) = points.get_mut(begin as usize..end as usize) {
                bucket.sort_by_key(|point| point.hash);
            }
            begin = end;
        }
        let first = points.first().copied().unwrap_or_default();
        if let Some(last) = points.last_mut() {
            *last = Point { hash: u32::MAX, server: first.server };
        }
        Ok(Ring {
            points: points.into_boxed_slice(),
            starts: starts.into_boxed_slice(),
            shift,
            // With nothing cut off, a bucket's points are equal and a look-up ends at the first.
            skewed: longest > LONG_BUCKET && shift > 0,
        })
    }
}
