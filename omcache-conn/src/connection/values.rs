//! The common case by the shortest way: whole responses, each to the request that is next in order.

use std::fmt;

use omcache_proto::binary::{Decoded, HEADER_LEN, Opcode, ResponsePacket, decode_response};

use super::Connection;
use crate::in_flight::{Entry, Origin, Remaining};
use crate::instant::Instant;

/// The responses that a connection has for the requests that are next in order.
pub struct Answers<'c> {
    rest: &'c [u8],
    entries: &'c [Entry],
    max_body: usize,
    server: usize,
    /// What `rest` and `entries` were: what became of them is noted at the end, as less is then to be kept at hand.
    all: &'c [u8],
    under_way: &'c [Entry],
    position: &'c mut usize,
    remaining: Remaining<'c>,
    waiting_since: &'c mut Option<Instant>,
}

impl<'c> Answers<'c> {
    /// The server that answered, by its index.
    #[must_use]
    pub fn server(&self) -> usize {
        self.server
    }

    /// The next one that a caller waits for; none where what comes next is for [`Cluster::answers`](crate::Cluster::answers)
    /// or [`Cluster::poll_event`](crate::Cluster::poll_event).
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator's adapters would have to be inlined as well"
    )]
    #[inline(always)]
    pub fn next(&mut self) -> Option<ResponsePacket<'c>> {
        loop {
            let Ok(Decoded::Complete { message, consumed }) = decode_response(self.rest, self.max_body)
            else {
                return None;
            };
            let (entry, behind) = self.entries.split_first()?;
            if !is_answer(&message, entry) {
                return None;
            }
            self.rest = self.rest.get(consumed..).unwrap_or_default();
            self.entries = behind;
            if entry.origin != Origin::Internal {
                return Some(message);
            }
        }
    }
}

impl Drop for Answers<'_> {
    fn drop(&mut self) {
        let answered = self.under_way.len() - self.entries.len();
        let owes = self.remaining.take_out(self.under_way.get(..answered).unwrap_or_default());
        *self.position += self.all.len() - self.rest.len();
        if answered > 0 && !owes {
            // All is sent, and nothing is owed.
            *self.waiting_since = None;
        }
    }
}

impl fmt::Debug for Answers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("bytes", &self.rest.len()).finish_non_exhaustive()
    }
}

/// Whether [`Answers::next`] has something: who asks for it again and again gets on.
fn is_next(rest: &[u8], max_body: usize, first: &Entry) -> bool {
    match decode_response(rest, max_body) {
        Ok(Decoded::Complete { message, .. }) => is_answer(&message, first),
        _ => false,
    }
}

#[inline(always)]
fn is_answer(message: &ResponsePacket<'_>, first: &Entry) -> bool {
    // Several packets may answer STAT.
    first.opaque == message.opaque && first.opcode == message.opcode && message.opcode != Opcode::STAT
}

impl Connection {
    /// The responses for those who only look at what was answered. None where the next message is no such response.
    pub(crate) fn answers(&mut self, receive_limit: usize) -> Option<Answers<'_>> {
        let max_body = receive_limit.checked_sub(HEADER_LEN)?;
        if !self.is_plain() {
            return None;
        }
        let (rest, position) = self.incoming.parts();
        let (entries, remaining) = self.in_flight.parts();
        if !is_next(rest, max_body, entries.first()?) {
            return None;
        }
        Some(Answers {
            rest,
            entries,
            max_body,
            server: self.index.unwrap_or_default(),
            all: rest,
            under_way: entries,
            position,
            remaining,
            waiting_since: &mut self.waiting_since,
        })
    }
}
