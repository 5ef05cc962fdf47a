//! Requests on many keys, handed over together: each server's are queued one after the other, which costs less for each.

use std::cell::Cell;

use omcache_proto::{Key, Request};

use super::{Cluster, Target};
use crate::error::SubmitError;

/// The memory for so many keys is kept from call to call.
const KEPT: usize = 128 * 1024;

/// Ends a chain.
const NONE: u32 = u32::MAX;

/// The keys of each server, chained in their order. Kept from call to call for its memory.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// The next key of the same server, for each key.
    next: Vec<u32>,
    /// Of each server.
    heads: Vec<Head>,
    /// The servers that have some.
    servers: Vec<u32>,
}

/// A server's first key, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Head {
    first: u32,
    count: u32,
}

impl Head {
    const NONE: Self = Self { first: NONE, count: 0 };
}

impl Chains {
    /// Begins anew, for so many keys and servers; returned is what puts a key before those of its server.
    #[inline(always)]
    fn begin(&mut self, count: usize, servers: usize) -> impl FnMut(usize, usize) {
        // Each place is written before it is read.
        self.next.resize(count, NONE);
        self.heads.resize(servers, Head::NONE);
        let (next, heads, used) = (&mut *self.next, &mut *self.heads, &mut self.servers);
        |at, server| {
            let (Some(head), Some(next)) = (heads.get_mut(server), next.get_mut(at)) else { return };
            if head.first == NONE {
                // A server's index has 16 bits.
                used.push(server as u32);
            }
            // Less than the count of keys, which is less than NONE.
            *next = std::mem::replace(&mut head.first, at as u32);
            head.count += 1;
        }
    }

    fn take_server(&mut self) -> Option<(usize, Head)> {
        let server = self.servers.pop()? as usize;
        Some((server, std::mem::replace(self.heads.get_mut(server)?, Head::NONE)))
    }
}

/// What [`Cluster::submit_many`] tells of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted<'r> {
    /// Which one it is.
    pub at: usize,
    /// The server that took it, by its index; the key's own where none did.
    pub server: usize,
    /// Its key; empty where there was no request.
    pub key: &'r [u8],
    /// Its opaque.
    pub result: Result<u32, SubmitError>,
}

impl Cluster {
    /// Queues `count` requests by their keys, as [`Cluster::submit`] does, but each server's together. `key` and `request`
    /// make the key and the request with this number, always the same. Where a key is invalid nothing at all is queued,
    /// `each` is not called, and the result is false, as it is for 2^32 - 1 requests or more. Else `each` is told of every
    /// request, of those that are queued in the order of their opaques, which count up by one. Where a server has no room
    /// for one, it takes none of those behind it: they may be on the same key, and must not get there before it.
    #[inline(always)]
    pub fn submit_many<'r>(
        &mut self,
        count: usize,
        key: impl Fn(usize) -> &'r [u8],
        request: impl Fn(usize) -> Option<Request<'r>> + Copy,
        mut each: impl FnMut(Submitted<'r>),
    ) -> bool {
        if count >= NONE as usize {
            return false;
        }
        let mut chains = std::mem::take(&mut self.chains);
        let is_valid = Cell::new(true);
        let key = |at| {
            let key = key(at);
            is_valid.set(is_valid.get() & Key::new(key).is_ok());
            key
        };
        self.continuum.for_each_server(count, key, chains.begin(count, self.order.len()));
        if self.order.is_empty() {
            // Nobody else looked at them.
            (0..count).for_each(|at| _ = key(at));
            for at in (0..count).filter(|_| is_valid.get()) {
                each(Submitted {
                    at,
                    server: 0,
                    key: key(at),
                    result: Err(SubmitError::NoServers { total: 0 }),
                });
            }
        }
        while let Some((server, head)) = chains.take_server() {
            if is_valid.get() {
                self.submit_chain(server, head, &chains.next, request, &mut each);
            }
        }
        if count <= KEPT {
            self.chains = chains;
        }
        is_valid.get()
    }

    /// Queues the requests of one server.
    #[inline(always)]
    fn submit_chain<'r>(
        &mut self,
        server: usize,
        head: Head,
        next: &[u32],
        request: impl Fn(usize) -> Option<Request<'r>> + Copy,
        each: &mut impl FnMut(Submitted<'r>),
    ) {
        let next_of = |at: u32| next.get(at as usize).copied().filter(|&next| next != NONE);
        let mut first = Some(head.first);
        let mut count = head.count;
        while let Some(at) = first {
            let Self { connections, shared, order, .. } = self;
            let slot = order.get(server).copied();
            let connection = slot.and_then(|slot| connections.get_mut(slot.index())?.as_mut());
            let before = shared.opaque;
            if let Some(connection) = connection.filter(|connection| !connection.down) {
                connection.reserve(count as usize, request(at as usize).as_ref(), shared);
                first = connection.enqueue_at_hand(at, shared, request, |at, opaque, request| {
                    let key = request.key().map(|key| key.as_bytes()).unwrap_or_default();
                    each(Submitted { at: at as usize, server, key, result: Ok(opaque) });
                    next_of(at)
                });
            }
            let queued = shared.opaque.wrapping_sub(before);
            count = count.saturating_sub(queued + 1);
            if let Some(slot) = slot.filter(|_| queued > 0) {
                self.last_server = server;
                self.joined(slot);
            }
            if let Some(at) = first {
                first = self.submit_next(server, at, next_of, request, each);
            }
        }
    }

    /// Queues a server's request that there is no room for at hand, or that is for another server; that behind it is
    /// returned. From the first one on that a server has no room for at all, the rest of the chain is looked at here.
    #[cold]
    #[inline(never)]
    fn submit_next<'r>(
        &mut self,
        server: usize,
        mut at: u32,
        next_of: impl Fn(u32) -> Option<u32>,
        request: impl Fn(usize) -> Option<Request<'r>> + Copy,
        each: &mut impl FnMut(Submitted<'r>),
    ) -> Option<u32> {
        // Of each server that is full: where the chain's own is down, its keys are for several.
        let mut full: Vec<(usize, SubmitError)> = Vec::new();
        loop {
            let request = request(at as usize);
            let key = request.as_ref().and_then(Request::key).map(|key| key.as_bytes());
            let own = key.filter(|_| !full.is_empty()).and_then(|key| self.live_server(key));
            let result = match (request, full.iter().find(|(server, _)| own == Some(*server))) {
                (_, Some((_, error))) => Err(error.clone()),
                (Some(request), None) => self.submit(Target::Key, &request),
                (None, None) => Err(SubmitError::NoKey),
            };
            if let Err(SubmitError::SendBufferFull { server, needed, limit, .. }) = result
                && needed <= limit
                && let Err(error) = &result
                && !full.iter().any(|(known, _)| *known == server)
            {
                full.push((server, error.clone()));
            }
            let server = if result.is_ok() { self.last_server } else { server };
            each(Submitted { at: at as usize, server, key: key.unwrap_or_default(), result });
            match next_of(at) {
                Some(next) if !full.is_empty() => at = next,
                next => return next,
            }
        }
    }
}
