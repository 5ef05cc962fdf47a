//! The common case by the shortest way: values, each for the request that is next in order.

use omcache_proto::binary::{Decoded, Found, HEADER_LEN, decode_response};

use super::Connection;
use crate::in_flight::{Entry, Origin};

/// What is behind the response to a NOOP of this crate's own, where that comes next and all of it is there.
#[cold]
#[inline(never)]
fn behind_own<'r>(entry: &Entry, rest: &'r [u8], max_body: usize) -> Option<&'r [u8]> {
    let Ok(Decoded::Complete { message, consumed }) = decode_response(rest, max_body) else { return None };
    let is_own = entry.origin == Origin::Internal && message.opaque == entry.opaque;
    rest.get(consumed..).filter(|_| is_own && message.opcode == entry.opcode)
}

impl Connection {
    /// Shows the values that come next to those who only look at them, each with its request's opaque: `each` returns
    /// whether to go on. Returned is the same, of the last one; none where something else comes next.
    #[inline(always)]
    pub(crate) fn take_values(
        &mut self,
        receive_limit: usize,
        mut each: impl FnMut(u32, Found<'_>) -> bool,
    ) -> Option<bool> {
        let max_body = receive_limit.checked_sub(HEADER_LEN)?;
        if !self.is_plain() {
            return None;
        }
        let (all, position) = self.incoming.parts();
        let (under_way, remaining) = self.in_flight.parts();
        // What became of them is noted at the end, as less is then to be kept at hand.
        let (mut rest, mut entries, mut goes_on) = (all, under_way, true);
        while goes_on && let Some((entry, behind)) = entries.split_first() {
            if let Some((found, unread)) = Found::decode(rest, entry.opcode, entry.opaque, max_body) {
                (rest, entries) = (unread, behind);
                goes_on = each(entry.opaque, found);
            } else if let Some(unread) = behind_own(entry, rest, max_body) {
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
