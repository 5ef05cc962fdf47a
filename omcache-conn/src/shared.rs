//! What the connections of a cluster share: limits, buffers, what waits to be polled.

use std::collections::VecDeque;

use crate::buffer::Pool;
use crate::config::Config;
use crate::event::{Action, ServerEvent, Settled};
use crate::instant::Instant;

/// What the connections of a cluster share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) config: Config,
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
    /// The opaque of a NOOP of this crate's own. It takes no number of the callers', whose requests so have
    /// consecutive ones, and is half the range away from those under way.
    pub(crate) fn internal_opaque(&self) -> u32 {
        self.opaque ^ 0x8000_0000
    }
}
