//! Events that nobody waits for at the moment: kept for those who submitted them, dropped for those who gave up.

use std::collections::{BTreeMap, VecDeque};

use omcache_conn::{Event, Outcome};
use omcache_proto::binary::Opcode;

use super::Ticket;
use super::external::Completion;
use crate::command;
use crate::driver::{Level, Logger};
use crate::error::Error;

/// Requests that their callers gave up on after they were sent: ranges of consecutive opaques, by their first.
#[derive(Debug, Default)]
struct Abandoned(BTreeMap<u32, Range>);

#[derive(Debug)]
struct Range {
    count: u32,
    /// How many of them have no outcome yet; the others were settled before.
    unsettled: u32,
}

impl Abandoned {
    /// The first of the range that the request is in.
    #[inline]
    fn find(&self, opaque: u32) -> Option<u32> {
        if self.0.is_empty() {
            return None;
        }
        let before = self.0.range(..=opaque).next_back();
        // Opaques wrap, and so may the last range.
        let (&first, range) = before.or_else(|| self.0.last_key_value())?;
        (opaque.wrapping_sub(first) < range.count).then_some(first)
    }

    /// Whether the request is one of them. Where this is the last that is heard of it, it is so no longer.
    #[inline]
    fn take(&mut self, opaque: u32, is_last: bool) -> bool {
        let Some(first) = self.find(opaque) else { return false };
        if let Some(range) = self.0.get_mut(&first).filter(|_| is_last) {
            range.unsettled = range.unsettled.saturating_sub(1);
            if range.unsettled == 0 {
                self.0.remove(&first);
            }
        }
        true
    }
}

/// A failure that was kept last, whose server is not named yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unnamed {
    pub(super) server: usize,
    quiet: bool,
}

/// What came for others than the caller at hand.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) completions: VecDeque<Completion>,
    /// How many queued (quiet) commands have no outcome yet.
    pub(super) queued: usize,
    /// Failures of queued commands.
    pub(super) failures: Vec<(Ticket, Error)>,
    abandoned: Abandoned,
}

impl Inbox {
    /// Notes that nobody waits any more for `count` requests from `first` on, of which `unsettled`, more than none, have no
    /// outcome yet.
    pub(super) fn abandon(&mut self, first: u32, count: u32, unsettled: u32) {
        self.abandoned.0.insert(first, Range { count, unsettled });
    }

    /// Whether nobody waits for the request any more.
    pub(super) fn is_abandoned(&self, opaque: u32) -> bool {
        self.abandoned.find(opaque).is_some()
    }

    /// Takes an event that is not the caller's. A failure that it leaves wants its server's name.
    #[must_use]
    pub(super) fn take(&mut self, event: Event<'_>, logger: &mut Logger) -> Option<Unnamed> {
        match event {
            Event::Response(response) => {
                let (opaque, server) = (response.opaque(), response.server());
                // STAT has many responses.
                let is_last = response.header().opcode != Opcode::STAT || response.packet().ends_stat();
                if self.abandoned.take(opaque, is_last) {
                    logger.log(Level::Debug, format_args!("a late answer to request {opaque} is dropped"));
                    return None;
                }
                let quiet = response.header().opcode.is_quiet();
                let reply = command::reply(response);
                self.finish(Ticket(opaque), quiet, reply).then_some(Unnamed { server, quiet })
            }
            Event::Settled(settled) => {
                let quiet = settled.opcode.is_quiet();
                if self.abandoned.take(settled.opaque, true) {
                    return None;
                }
                if quiet && settled.outcome == Outcome::Silent {
                    self.queued = self.queued.saturating_sub(1);
                    return None;
                }
                let error = Error::from_outcome(settled.outcome)?;
                self.finish(Ticket(settled.opaque), quiet, Err(error));
                settled.server.map(|server| Unnamed { server, quiet })
            }
            Event::Server(event) => {
                logger.change(&event);
                None
            }
            _ => None,
        }
    }

    /// Takes the silence that settles a quiet request which is not the caller's.
    #[inline]
    pub(super) fn take_silent(&mut self, opaque: u32) {
        if !self.abandoned.take(opaque, true) {
            self.queued = self.queued.saturating_sub(1);
        }
    }

    /// Whether nobody gave up on anything that is under way.
    pub(super) fn abandoned_none(&self) -> bool {
        self.abandoned.0.is_empty()
    }

    /// As [`Inbox::take_silent`] of `count` requests, none of which was given up.
    pub(super) fn take_all_silent(&mut self, count: usize) {
        self.queued = self.queued.saturating_sub(count);
    }

    /// True where it is a failure.
    fn finish(&mut self, ticket: Ticket, quiet: bool, result: Result<command::Reply, Error>) -> bool {
        if !quiet {
            let failed = result.is_err();
            self.completions.push_back(Completion { ticket, result });
            return failed;
        }
        self.queued = self.queued.saturating_sub(1);
        let error = result.map_or_else(Some, |reply| command::quiet_refusal(&reply));
        let failed = error.is_some();
        self.failures.extend(error.map(|error| (ticket, error)));
        failed
    }

    /// Names the server of the failure that was kept last.
    pub(super) fn name(&mut self, unnamed: Unnamed, server: String) {
        let error = match unnamed.quiet {
            true => self.failures.last_mut().map(|(_, error)| error),
            false => self.completions.back_mut().and_then(|completion| completion.result.as_mut().err()),
        };
        if let Some(error) = error {
            *error = std::mem::replace(error, Error::timeout(true)).with_server(server);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_abandoned_is_remembered_until_the_last_is_heard_of_it() {
        let mut abandoned = Abandoned::default();
        // Of four requests across the wrap one is settled already.
        abandoned.0.insert(u32::MAX - 1, Range { count: 4, unsettled: 3 });
        abandoned.0.insert(10, Range { count: 1, unsettled: 1 });
        assert!(!abandoned.take(2, true) && !abandoned.take(u32::MAX - 2, true));
        assert!(abandoned.take(u32::MAX, true) && abandoned.take(0, true));
        assert!(abandoned.take(10, false) && abandoned.take(10, false), "there is more to come");
        assert_eq!(abandoned.0.len(), 2);
        assert!(abandoned.take(10, true) && !abandoned.take(10, true));
        assert!(abandoned.take(1, true) && !abandoned.take(1, true));
        assert!(abandoned.0.is_empty());
    }
}
