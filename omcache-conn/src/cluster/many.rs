//! Requests on many keys, handed over together: each server's are queued one after the other, which costs less for each.

use std::cell::Cell;

use omcache_proto::Request;

use super::{Cluster, Target};
use crate::error::SubmitError;
use crate::in_flight::Origin;

/// More requests than this are worth to be expected.
const SOME: u32 = 256;

/// The memory for so many keys is kept from call to call.
const KEPT: usize = 64 * 1024;

/// Ends a chain.
const NONE: u32 = u32::MAX;

/// The keys of each server, chained in the order of the keys. Kept from call to call for its memory.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// The next key of the same server, for each key.
    next: Vec<u32>,
    /// Of each server.
    ends: Vec<Ends>,
    /// The servers that have some.
    servers: Vec<u32>,
}

/// A server's first key and its last one, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
    count: u32,
}

impl Chains {
    fn begin(&mut self, count: usize, servers: usize) {
        self.next.clear();
        self.next.resize(count, NONE);
        self.ends.resize(servers, Ends { first: NONE, last: NONE, count: 0 });
    }

    #[inline(always)]
    fn add(&mut self, at: u32, server: usize) {
        let Some(ends) = self.ends.get_mut(server) else { return };
        if ends.first == NONE {
            ends.first = at;
            // A server's index has 16 bits.
            self.servers.push(server as u32);
        } else if let Some(next) = self.next.get_mut(ends.last as usize) {
            *next = at;
        }
        ends.last = at;
        ends.count += 1;
    }

    fn take_server(&mut self) -> Option<(usize, Ends)> {
        let server = self.servers.pop()? as usize;
        let none = Ends { first: NONE, last: NONE, count: 0 };
        Some((server, std::mem::replace(self.ends.get_mut(server)?, none)))
    }
}

/// What [`Cluster::submit_many`] tells of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Which one it is.
    pub at: usize,
    /// The server that took it, by its index; the key's own where none did.
    pub server: usize,
    /// Its opaque.
    pub result: Result<u32, SubmitError>,
}

/// The refusal, where only room lacks. Requests behind such a one may be on the same key, and must not get there before it.
#[cold]
fn lacks_room(error: &SubmitError) -> Option<SubmitError> {
    match error {
        SubmitError::SendBufferFull { needed, limit, .. } if needed <= limit => Some(error.clone()),
        _ => None,
    }
}

impl Cluster {
    /// Queues `count` requests by their keys, as [`Cluster::submit`] does, but each server's together. `request` makes the
    /// one with this number, always the same, or none where it has no valid key: then nothing at all is queued, `each` is
    /// not called, and the result is false, as it is for 2^32 - 1 requests or more. Else `each` is told of every request, of
    /// those that are queued in the order of their opaques, which count up by one. Where a server has no room for one, it
    /// takes none of those behind it.
    #[inline(always)]
    pub fn submit_many<'r>(
        &mut self,
        count: usize,
        request: impl Fn(usize) -> Option<Request<'r>>,
        mut each: impl FnMut(Submitted),
    ) -> bool {
        if count >= NONE as usize {
            return false;
        }
        let mut chains = std::mem::take(&mut self.chains);
        chains.begin(count, self.order.len());
        let is_valid = Cell::new(true);
        let key = |at| match request(at).and_then(|request| request.key()) {
            Some(key) => key.as_bytes(),
            None => {
                is_valid.set(false);
                &[]
            }
        };
        self.continuum.for_each_server(count, key, |at, server| chains.add(at as u32, server));
        if self.order.is_empty() && is_valid.get() {
            for at in 0..count {
                each(Submitted { at, server: 0, result: Err(SubmitError::NoServers { total: 0 }) });
            }
        }
        while let Some((server, ends)) = chains.take_server() {
            if is_valid.get() {
                self.submit_chain(server, ends, &chains.next, &request, &mut each);
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
        ends: Ends,
        next: &[u32],
        request: &impl Fn(usize) -> Option<Request<'r>>,
        each: &mut impl FnMut(Submitted),
    ) {
        let Self { connections, shared, order, .. } = self;
        let slot = order.get(server).copied();
        let connection = slot.and_then(|slot| connections.get_mut(slot.index())?.as_mut());
        let mut at = ends.first as usize;
        let (Some(connection), Some(slot)) = (connection.filter(|connection| !connection.down), slot) else {
            let mut full = None;
            while at < next.len() {
                let result = match (request(at), &full) {
                    (_, Some(full)) => Err(SubmitError::clone(full)),
                    (Some(request), None) => self.submit(Target::Key, &request),
                    (None, None) => Err(SubmitError::NoKey),
                };
                full = full.or_else(|| lacks_room(result.as_ref().err()?));
                let server = if result.is_ok() { self.last_server } else { server };
                each(Submitted { at, server, result });
                at = next.get(at).map_or(usize::MAX, |&next| next as usize);
            }
            return;
        };
        if ends.count > SOME {
            connection.reserve(ends.count as usize, request(at).as_ref(), shared);
        }
        let (mut accepted, mut full) = (false, None);
        while at < next.len() {
            let result = match (request(at), &full) {
                (_, Some(full)) => Err(SubmitError::clone(full)),
                (Some(request), None) => connection.enqueue(&request, Origin::Key, shared),
                (None, None) => Err(SubmitError::NoKey),
            };
            match &result {
                Ok(_) => accepted = true,
                Err(error) => full = full.or_else(|| lacks_room(error)),
            }
            each(Submitted { at, server, result });
            at = next.get(at).map_or(usize::MAX, |&next| next as usize);
        }
        if accepted {
            self.last_server = server;
            self.joined(slot);
        }
    }
}
