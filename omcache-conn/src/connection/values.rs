//! The common case by the shortest way: values, each for the request that is next in order.

use bytes::Bytes;
use omcache_proto::binary::{self, Found, HEADER_LEN};

use super::Connection;
use crate::in_flight::{Entry, Origin};

/// What is behind the response to a NOOP of this crate's own, where that comes next and all of it is there.
#[cold]
#[inline(never)]
fn behind_own<'r>(entry: &Entry, rest: &'r [u8], max_body: usize) -> Option<&'r [u8]> {
    if entry.origin != Origin::Internal {
        return None;
    }
    let decoded = binary::decode_response(rest, max_body).ok()?;
    let binary::Decoded::Complete { message, consumed } = decoded else { return None };
    let is_it = message.opaque == entry.opaque && message.opcode == entry.opcode;
    rest.get(consumed..).filter(|_| is_it)
}

/// A value that was taken out of what was received, without copying it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TakenValue {
    /// The request that asked for it.
    pub opaque: u32,
    /// The item's flags.
    pub flags: u32,
    /// The item's version.
    pub cas: u64,
    /// The value. It keeps the receive chunk it lies in alive, as that of [`Response::into_value`](crate::Response::into_value) does.
    pub data: Bytes,
}

/// A value that was decoded, and lies before the `end` of what was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    opaque: u32,
    flags: u32,
    cas: u64,
    len: usize,
    end: usize,
}

impl Connection {
    /// Shows the values that come next to those who only look at them, for requests that are wanted, each with its opaque:
    /// `each` returns whether to go on. Returned is the same, of the last one; none where something else comes next.
    #[inline(always)]
    pub(crate) fn take_values(
        &mut self,
        receive_limit: usize,
        is_wanted: impl Fn(u32) -> bool,
        mut each: impl FnMut(u32, Found<'_>) -> bool,
    ) -> Option<bool> {
        self.decode_values(receive_limit, is_wanted, |opaque, found, _| each(opaque, found))
    }

    /// Takes out the values that come next, for requests that are wanted. Returned is whether there was one, or what else
    /// tells of nothing; none where something else comes next. `decoded` is empty, and is so again.
    #[inline(always)]
    pub(crate) fn take_owned_values(
        &mut self,
        receive_limit: usize,
        decoded: &mut Vec<Decoded>,
        is_wanted: impl Fn(u32) -> bool,
        mut each: impl FnMut(TakenValue),
    ) -> Option<bool> {
        let begin = self.incoming.position();
        let goes_on = self.decode_values(receive_limit, is_wanted, |opaque, found, end| {
            decoded.push(Decoded { opaque, flags: found.flags, cas: found.cas, len: found.value.len(), end });
            true
        });
        if !decoded.is_empty() {
            // One piece that all of them are parts of: to part each from the buffer would cost as much again.
            let received = self.incoming.take_decoded();
            for Decoded { opaque, flags, cas, len, end } in decoded.drain(..) {
                let end = begin + end;
                each(TakenValue { opaque, flags, cas, data: received.slice(end - len..end) });
            }
        }
        goes_on
    }

    /// As [`Connection::take_values`], as long as the requests are wanted; `each` is also told where what was decoded ends.
    #[inline(always)]
    fn decode_values(
        &mut self,
        receive_limit: usize,
        is_wanted: impl Fn(u32) -> bool,
        mut each: impl FnMut(u32, Found<'_>, usize) -> bool,
    ) -> Option<bool> {
        let max_body = receive_limit.checked_sub(HEADER_LEN)?;
        if !self.is_plain() {
            return None;
        }
        let (all, position) = self.incoming.parts();
        let (under_way, remaining) = self.in_flight.parts();
        // What became of them is noted at the end, as less is then to be kept at hand.
        let (mut rest, mut entries, mut goes_on) = (all, under_way, true);
        while let Some((entry, behind)) = entries.split_first() {
            if goes_on
                && is_wanted(entry.opaque)
                && let Some((found, unread)) = Found::decode(rest, entry.opcode, entry.opaque, max_body)
            {
                (rest, entries) = (unread, behind);
                goes_on = each(entry.opaque, found, all.len() - unread.len());
            } else if let Some(unread) = behind_own(entry, rest, max_body) {
                // Also behind the last one that somebody wants to see.
                (rest, entries) = (unread, behind);
            } else {
                break;
            }
        }
        if entries.len() == under_way.len() {
            return None;
        }
        *position += all.len() - rest.len();
        if !remaining.take_out(under_way, entries) {
            // All is sent, and nothing is owed.
            self.waiting_since = None;
        }
        Some(goes_on)
    }
}
