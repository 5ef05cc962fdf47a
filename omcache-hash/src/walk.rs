//! The servers for one key, one after the other.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;

use crate::ring::{Ring, RingServers};

/// How a walk goes on after its first server. Repeats are the walk's affair.
pub(crate) enum Course<'a> {
    /// The servers after the first, in the given order.
    Following,
    /// Along the ring from the point that has the hash, which is looked for only if the walk goes on.
    Along(&'a Ring, u32),
    /// Along the ring, the point being found.
    AlongFrom(RingServers<'a>),
    /// As listed.
    Listed(vec::IntoIter<u16>),
    /// As a user's own distribution has it.
    Own(Box<dyn Iterator<Item = usize> + Send + 'a>),
}

impl Course<'_> {
    /// As listed.
    pub(crate) fn listed(order: Vec<u16>) -> Self {
        Self::Listed(order.into_iter())
    }
}

impl Iterator for Course<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if let Self::Along(ring, hash) = *self {
            *self = Self::AlongFrom(ring.servers_from(hash));
        }
        match self {
            Self::Following | Self::Along(..) => None,
            Self::AlongFrom(servers) => servers.next(),
            Self::Listed(order) => order.next().map(usize::from),
            Self::Own(servers) => servers.next(),
        }
    }
}

/// The servers for a key, as indices into the list that the [`Continuum`](crate::Continuum) was
/// built from: first the one that has the key, then where to go on. Each comes once.
///
/// | distribution | the order |
/// |---|---|
/// | rings | on along the ring; [`Dalli`](crate::Named::Dalli)'s downwards, like its look-up |
/// | rendezvous | by descending score |
/// | the rest: remainders, ch3 | the servers that follow in the given order |
/// | your own | as its [`Placement`](crate::Placement) has it |
///
/// Servers without a point of their own come last, in the given order. A whole walk over a ring
/// looks at each point at most once; it allocates only beyond 256 servers and for rendezvous and
/// distributions of your own.
pub struct Walk<'a> {
    servers: usize,
    left: usize,
    // Where the walk stands: the server last given, if one was.
    last: usize,
    course: Course<'a>,
    seen: Seen,
}

impl<'a> Walk<'a> {
    #[inline]
    pub(crate) fn new(servers: usize, first: usize, course: Course<'a>) -> Self {
        Self { servers, left: servers, last: first, course, seen: Seen::Nothing }
    }

    fn advance(&mut self) -> Option<usize> {
        if matches!(self.seen, Seen::Nothing) {
            self.seen = Seen::new(self.servers);
            self.seen.insert(self.last);
        }
        for server in self.course.by_ref() {
            if server < self.servers && self.seen.insert(server) {
                return Some(server);
            }
        }
        // The course is done: what is left follows the last server.
        self.course = Course::Following;
        let mut next = self.last;
        for _ in 0..self.servers {
            next = if next + 1 < self.servers { next + 1 } else { 0 };
            if self.seen.insert(next) {
                return Some(next);
            }
        }
        None
    }
}

impl Iterator for Walk<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        if self.left < self.servers {
            self.last = self.advance()?;
        }
        self.left -= 1;
        Some(self.last)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Walk<'_> {}
impl FusedIterator for Walk<'_> {}

impl fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk")
            .field("servers", &self.servers)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// Which servers have been given: a bit each.
enum Seen {
    // Not made yet: most walks end at their first server.
    Nothing,
    Few([u64; 4]),
    Many(Box<[u64]>),
}

impl Seen {
    fn new(servers: usize) -> Self {
        let words = servers.div_ceil(64);
        if words <= 4 { Self::Few([0; 4]) } else { Self::Many(vec![0; words].into_boxed_slice()) }
    }

    /// Marks the server; false if it was marked before.
    fn insert(&mut self, server: usize) -> bool {
        let words = match self {
            Self::Nothing => return false,
            Self::Few(words) => words.as_mut_slice(),
            Self::Many(words) => words,
        };
        let bit = 1 << (server % 64);
        match words.get_mut(server / 64) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }
}
