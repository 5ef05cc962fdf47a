//! Since when requests wait for a handshake: those that waited too long fail, the others go elsewhere.

use std::collections::HashSet;

use super::Connection;
use crate::error::Failure;
use crate::event::Outcome;
use crate::in_flight::Entry;
use crate::instant::Instant;
use crate::shared::Shared;

/// Moments that are kept before those are looked for whose requests are gone.
const KEPT: usize = 64;

/// The moments at which requests came that wait for a handshake, with the last one of each by its opaque.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Vec<(Instant, u32)>);

impl Arrivals {
    pub(super) fn clear(&mut self) {
        // A connection that stands holds none.
        self.0 = Vec::new();
    }

    fn note(&mut self, now: Instant, last: u32) {
        match self.0.last_mut() {
            Some((_, noted)) if *noted == last => {}
            Some((at, noted)) if *at == now => *noted = last,
            _ => self.0.push((now, last)),
        }
    }

    /// How many of `entries` came at moments that are such. Where one was taken back, those that came with it may count as
    /// later.
    fn count(&self, entries: &[Entry], is_such: impl Fn(Instant) -> bool) -> usize {
        let lasts: HashSet<u32> =
            self.0.iter().take_while(|&&(at, _)| is_such(at)).map(|&(_, last)| last).collect();
        entries.iter().rposition(|entry| lasts.contains(&entry.opaque)).map_or(0, |at| at + 1)
    }
}

impl Connection {
    /// Notes what came since it was last asked.
    pub(super) fn note_arrivals(&mut self, now: Instant) {
        let waiting = self.in_flight.len();
        let Some(last) = self.in_flight.last(1).next() else { return };
        self.waiting_since.get_or_insert(now);
        self.arrivals.note(now, last.opaque);
        if self.arrivals.0.len() > KEPT + 2 * waiting {
            let present: HashSet<u32> = self.in_flight.last(waiting).map(|entry| entry.opaque).collect();
            self.arrivals.0.retain(|(_, last)| present.contains(last));
        }
    }

    /// Fails the requests that have waited for the handshake as long as one may wait. Those that came later are left.
    pub(super) fn settle_overdue(&mut self, failure: &Failure, shared: &mut Shared) {
        let (entries, mut packets) = self.take_unsent();
        let dead = shared.config.dead_timeout;
        let overdue = self.arrivals.count(&entries, |at| at + dead <= shared.now);
        for (at, entry) in entries.into_iter().enumerate() {
            let packet = packets.split_to((entry.len as usize).min(packets.len()));
            if at < overdue {
                self.settle(entry, Outcome::NotSent(failure.clone()), shared);
            } else {
                self.outgoing.extend(&packet, &mut shared.pool);
                self.in_flight.push(entry, &mut shared.pool);
            }
        }
        if self.outgoing.is_empty() {
            self.outgoing.clear(&mut shared.pool);
        }
    }
}
