//! The requests of one operation, and how they ended.

use omcache::driver::conn::{Instant, Response, Server, Settled};
use omcache::driver::proto::binary::Opcode;
use smallvec::SmallVec;

use super::code::Code;

/// The place of a request that nobody waits for.
pub(super) const NOBODY: u32 = u32::MAX;

/// How a request ended that was not settled by silence.
#[derive(Debug)]
pub(super) struct Reply {
    /// The request's place among those of the operation.
    pub(super) place: u32,
    pub(super) code: Code,
    /// Of a value that was read.
    pub(super) flags: u32,
    /// The value's CAS; of a counter, its value.
    pub(super) number: u64,
    /// Where the value stands in [`Batch::bytes`]; a failure's reason stands there too.
    start: usize,
    end: usize,
    /// How much of it is a statistic's name.
    name: usize,
}

/// The requests of one operation, and how they ended.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The opaque of the first request; they are consecutive.
    pub(super) first: u32,
    /// The places of the requests, in the order of their opaques.
    pub(super) places: SmallVec<[u32; 1]>,
    pub(super) outstanding: u32,
    /// When the program's signals were last looked after; at first, when it began.
    pub(super) paused: Instant,
    /// Whether nobody waits for the requests that are submitted now.
    pub(super) unawaited: bool,
    pub(super) replies: SmallVec<[Reply; 1]>,
    pub(super) bytes: Vec<u8>,
}

impl Batch {
    /// The value of a reply, or why it failed.
    #[inline]
    pub(super) fn value(&self, reply: &Reply) -> &[u8] {
        self.bytes.get(reply.start + reply.name..reply.end).unwrap_or_default()
    }

    /// The name of a statistic.
    pub(super) fn name(&self, reply: &Reply) -> &[u8] {
        self.bytes.get(reply.start..reply.start + reply.name).unwrap_or_default()
    }

    /// Why a reply is a failure, as text.
    pub(super) fn reason(&self, reply: &Reply) -> String {
        String::from_utf8_lossy(self.value(reply)).into_owned()
    }

    #[cold]
    pub(super) fn failed(&mut self, place: u32, code: Code, reason: &str) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(reason.as_bytes());
        let end = self.bytes.len();
        self.replies.push(Reply { place, code, flags: 0, number: 0, start, end, name: 0 });
    }

    /// Takes a reply over from another batch.
    pub(super) fn adopt(&mut self, from: &Self, reply: &Reply) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(from.value(reply));
        self.replies.push(Reply { start, end: self.bytes.len(), name: 0, ..*reply });
    }

    /// The place of a request; none where nobody waits for it.
    #[inline]
    pub(super) fn place(&self, opaque: u32) -> Option<u32> {
        self.places.get(opaque.wrapping_sub(self.first) as usize).copied().filter(|&place| place != NOBODY)
    }

    #[inline]
    pub(super) fn answered(&mut self, place: u32, response: &Response<'_>) {
        let packet = response.packet();
        let code = Code::of_status(packet.status);
        let counter = packet.counter().filter(|_| packet.opcode.is_counter());
        self.outstanding -= u32::from(packet.opcode != Opcode::STAT || packet.ends_stat());
        let start = self.bytes.len();
        // Only statistics have a key here: nothing else is asked for with its key.
        self.bytes.extend_from_slice(packet.key);
        self.bytes.extend_from_slice(packet.value);
        self.replies.push(Reply {
            place,
            code,
            flags: packet.flags().unwrap_or_default(),
            number: counter.unwrap_or(packet.cas),
            start,
            end: self.bytes.len(),
            name: packet.key.len(),
        });
    }

    pub(super) fn settled(&mut self, place: u32, settled: &Settled, server: Option<&Server>) {
        self.outstanding -= 1;
        let unix = server.is_some_and(|server| server.host().starts_with('/'));
        if let Some((code, reason)) = Code::of_outcome(&settled.outcome, unix) {
            let reason = match server {
                Some(server) => format!("{server}: {reason}"),
                None => reason,
            };
            self.failed(place, code, &reason);
        }
    }
}
