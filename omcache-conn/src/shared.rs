//! What the connections of a cluster share: limits, buffers, what waits to be polled.

use std::collections::VecDeque;

use crate::buffer::Pool;
use crate::config::Config;
use crate::event::{Action, ServerEvent, Settled};
use crate::in_flight::INTERNAL;
use crate::instant::Instant;

/// What the connections of a cluster share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// The dead timeout, as each lone request wants it.
    pub(crate) dead_nanos: u64,
    pub(crate) pool: Pool,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) events: VecDeque<Queued>,
    pub(crate) now: Instant,
    pub(crate) opaque: u32,
    pub(crate) lookups: u64,
}

/// An event that waits to be polled.
#[derive(Debug)]
pub(crate) enum Queued {
    Settled(Settled),
    Server(ServerEvent),
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        let mut shared = Self::default();
        shared.set_config(config);
        shared
    }

    pub(crate) fn set_config(&mut self, config: Config) {
        // Lengths in the FIFO have 32 bits.
        let send_limit = config.send_limit.min(u32::MAX as usize);
        self.config = Config { send_limit, ..config };
        self.dead_nanos = (Instant::ORIGIN + self.config.dead_timeout).as_nanos();
    }

    /// The opaque of a NOOP of this crate's own. It takes no number of the callers', whose requests so have
    /// consecutive ones, and is half the range away from those under way.
    pub(crate) fn internal_opaque(&self) -> u32 {
        self.opaque ^ INTERNAL
    }
}
