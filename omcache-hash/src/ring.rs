//! A ring of points: sorted once, looked up in constant time by way of a table on the hash's top bits.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::iter::{Chain, FusedIterator};
use core::slice;

use crate::MAX_SERVERS;
use crate::error::BuildError;
use crate::hash::one_at_a_time;

/// The most points that a [`Ring`] holds.
pub const MAX_POINTS: usize = 1 << 28;

/// Points on a circle of 2^32 hashes, each belonging to a server.
///
/// The point that has a hash is the first one at or after it, wrapping to the first of all. Of
/// points with equal hashes, the one given first stands first.
///
/// ```
/// use omcache_hash::Ring;
///
/// let ring = Ring::new([(100, 0), (200, 1), (200, 2), (300, 0)])?;
/// assert_eq!(ring.server(150), 1); // the first of equal points
/// assert_eq!(ring.server(300), 0);
/// assert_eq!(ring.server(301), 0); // round to the first point
/// let servers: Vec<usize> = ring.servers_from(150).collect();
/// assert_eq!(servers, [1, 2, 0, 0]);
/// # Ok::<(), omcache_hash::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ring {
    // One for each value of the hash's top bits, up to that of the last point.
    cells: Box<[Cell]>,
    shift: u32,
    // Whose the hashes behind the last point are.
    first: u16,
    points: Box<[Point]>,
}

#[derive(Copy, Clone, Debug, Default)]
struct Point {
    hash: u32,
    server: u16,
}

// What a look-up needs of the points in one stretch of hashes, in eight bytes: mostly there is one
// point at most, and the answer is found without touching the points.
#[derive(Copy, Clone, Debug, Default)]
struct Cell {
    // Hashes up to here are `before`'s, those beyond it `after`'s.
    split: u32,
    before: u16,
    after: u16,
}

// A cell of several points has this for servers, and `split` is the first one's place.
const CROWDED: u16 = u16::MAX;
const _: () = assert!(MAX_SERVERS <= CROWDED as usize);

// From a crowded cell on, so many points are compared one by one before the rest is halved.
const NEAR: usize = 8;

impl Ring {
    /// A ring of the points `(hash, server)`.
    ///
    /// # Errors
    ///
    /// [`BuildError::TooManyPoints`] beyond [`MAX_POINTS`], [`BuildError::TooManyServers`] for a
    /// server of [`MAX_SERVERS`] or more. A ring without points is no error: all hashes are
    /// server 0's.
    pub fn new(points: impl IntoIterator<Item = (u32, usize)>) -> Result<Self, BuildError> {
        let points = points.into_iter();
        let mut unsorted = Points::with_capacity(points.size_hint().0.min(MAX_POINTS));
        for (hash, server) in points {
            match u16::try_from(server) {
                Ok(index) if server < MAX_SERVERS => unsorted.push(hash, index),
                _ => {
                    let given = server.saturating_add(1);
                    return Err(BuildError::TooManyServers { given, most: MAX_SERVERS });
                }
            }
        }
        unsorted.into_ring()
    }

    /// How many points there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is no point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Whose the hash is.
    #[inline]
    #[must_use]
    pub fn server(&self, hash: u32) -> usize {
        self.finder()(hash)
    }

    /// Whose a key is by the default's hash. It is called: so the callers have their registers for themselves.
    #[inline(never)]
    pub(crate) fn server_of_key(&self, key: &[u8]) -> usize {
        self.server(one_at_a_time(key))
    }

    /// [`Ring::server`] for many hashes: what it needs of the ring is at hand.
    #[inline(always)]
    pub(crate) fn finder(&self) -> impl Fn(u32) -> usize + Copy {
        let (cells, shift) = (&*self.cells, self.shift);
        move |hash| {
            let Some(cell) = cells.get((hash >> shift) as usize) else { return usize::from(self.first) };
            // Which of the two is as good as random, so this should be no branch.
            let server = if hash > cell.split { cell.after } else { cell.before };
            if server == CROWDED {
                return self.crowded(hash, cell.split as usize);
            }
            usize::from(server)
        }
    }

    #[inline(never)]
    fn crowded(&self, hash: u32, start: usize) -> usize {
        let points = self.points.get(start..).unwrap_or_default();
        let (near, far) = points.split_at_checked(NEAR).unwrap_or((points, &[]));
        let found = near.iter().find(|point| point.hash >= hash);
        let found = found.or_else(|| far.get(far.partition_point(|point| point.hash < hash)));
        usize::from(found.map_or(self.first, |point| point.server))
    }

    /// The servers of all points in their order, beginning with the point that has the hash: each
    /// server as often as it has points. Finding the beginning takes time in proportion to the
    /// logarithm of the points.
    #[must_use]
    pub fn servers_from(&self, hash: u32) -> RingServers<'_> {
        let from = self.points.partition_point(|point| point.hash < hash);
        let (before, after) = self.points.split_at(from);
        RingServers(after.iter().chain(before))
    }
}

/// The servers of a ring's points, once around; made by [`Ring::servers_from`].
#[derive(Clone, Debug)]
pub struct RingServers<'a>(Chain<slice::Iter<'a, Point>, slice::Iter<'a, Point>>);

impl Iterator for RingServers<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        self.0.next().map(|point| usize::from(point.server))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl FusedIterator for RingServers<'_> {}

/// Points on their way to a ring.
pub(crate) struct Points(Vec<Point>);

impl Points {
    pub(crate) fn with_capacity(points: usize) -> Self {
        Self(Vec::with_capacity(points))
    }

    #[inline]
    pub(crate) fn push(&mut self, hash: u32, server: u16) {
        self.0.push(Point { hash, server });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same points, of other servers.
    pub(crate) fn renumbered(mut self, server: impl Fn(u16) -> u16) -> Self {
        for point in &mut self.0 {
            point.server = server(point.server);
        }
        self
    }

    // One pass of a radix sort by cells; then each cell's points, mostly one or none, are put in
    // order. All of it keeps equal hashes in the given order.
    pub(crate) fn into_ring(self) -> Result<Ring, BuildError> {
        let unsorted = self.0;
        if unsorted.len() > MAX_POINTS {
            return Err(BuildError::TooManyPoints { given: unsorted.len(), most: MAX_POINTS });
        }
        let first = unsorted.iter().min_by_key(|point| point.hash).map_or(0, |point| point.server);
        let greatest = unsorted.iter().map(|point| point.hash).max().unwrap_or_default();
        // The cells divide the range that the hashes really use.
        let wanted = cells_for(unsorted.len()).trailing_zeros();
        let shift = (u32::BITS - greatest.leading_zeros()).saturating_sub(wanted);
        let cell_of = |hash: u32| (hash >> shift) as usize;
        let count = if unsorted.is_empty() { 0 } else { cell_of(greatest) + 1 };
        let mut cells = vec![Cell::default(); count];

        // How many points each cell has, then where they begin.
        for point in &unsorted {
            if let Some(cell) = cells.get_mut(cell_of(point.hash)) {
                cell.split += 1;
            }
        }
        let mut sum = 0;
        for cell in &mut cells {
            sum += core::mem::replace(&mut cell.split, sum);
        }
        let mut points = vec![Point::default(); unsorted.len()];
        for point in &unsorted {
            if let Some(cell) = cells.get_mut(cell_of(point.hash)) {
                if let Some(place) = points.get_mut(cell.split as usize) {
                    *place = *point;
                }
                // In the end, where the next cell's points begin.
                cell.split += 1;
            }
        }
        drop(unsorted);

        // From the last cell to the first: each must know whose the point behind it is, and the one
        // before it still has its end.
        let mut behind = first;
        let mut end = points.len();
        for index in (0..cells.len()).rev() {
            let before = index.checked_sub(1).and_then(|before| cells.get(before));
            let begin = before.map_or(0, |cell| cell.split as usize);
            let within = points.get_mut(begin..end).unwrap_or_default();
            if within.len() > 1 {
                within.sort_by_key(|point| point.hash);
            }
            let done = match *within {
                [] => Cell { split: 0, before: behind, after: behind },
                [point] => Cell { split: point.hash, before: point.server, after: behind },
                [point, .., last] if point.hash == last.hash => {
                    Cell { split: point.hash, before: point.server, after: behind }
                }
                // Points are fewer than 2^32.
                _ => Cell { split: begin as u32, before: CROWDED, after: CROWDED },
            };
            if let [point, ..] = *within {
                behind = point.server;
            }
            if let Some(cell) = cells.get_mut(index) {
                *cell = done;
            }
            end = begin;
        }
        Ok(Ring { cells: cells.into_boxed_slice(), shift, first, points: points.into_boxed_slice() })
    }
}

// Two to four cells a point leave less than nine cells of 100 crowded. A large ring makes do with
// half as many: what is too large for a processor's cache costs more than a few crowded cells.
fn cells_for(points: usize) -> usize {
    const LARGE: usize = 1 << 18;
    if points < LARGE { 2 * points } else { points }.next_power_of_two()
}
