//! What the threads of a server share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use omcache_proto::binary::Opcode;

use super::clock::Clock;
use super::command::Cache;
use super::fault::Faults;
use super::place::Place;
use super::stats::Facts;

/// What the threads of a server share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    pub(super) place: Place,
    pub(super) tally: Tally,
    cache: Mutex<Cache>,
}

/// What a test can ask for; STAT has counters of its own, which it can reset.
#[derive(Debug)]
pub(super) struct Tally {
    /// Connections open now.
    pub(super) open: AtomicU64,
    /// Connections since the start.
    pub(super) accepted: AtomicU64,
    commands: [AtomicU64; 256],
}

impl State {
    pub(super) fn new(place: Place, cache: Cache) -> Self {
        Self {
            clock: Clock::new(),
            faults: Faults::default(),
            place,
            tally: Tally {
                open: AtomicU64::new(0),
                accepted: AtomicU64::new(0),
                commands: [const { AtomicU64::new(0) }; 256],
            },
            cache: Mutex::new(cache),
        }
    }

    pub(super) fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            now: self.clock.now(),
            uptime: self.clock.uptime(),
            connections: self.tally.open.load(Ordering::SeqCst),
            accepted: self.tally.accepted.load(Ordering::SeqCst),
            place: &self.place,
        }
    }
}

impl Tally {
    pub(super) fn count(&self, opcode: Opcode) {
        if let Some(count) = self.commands.get(usize::from(opcode.0)) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(super) fn commands(&self) -> u64 {
        self.commands.iter().map(|count| count.load(Ordering::SeqCst)).sum()
    }

    pub(super) fn commands_of(&self, opcode: Opcode) -> u64 {
        self.commands.get(usize::from(opcode.0)).map_or(0, |count| count.load(Ordering::SeqCst))
    }
}
