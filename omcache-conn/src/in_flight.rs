//! The FIFO of requests that wait for an outcome on one connection.

use omcache_proto::binary::Opcode;

use crate::buffer::Pool;

mod joining;
mod remaining;
#[cfg(test)]
mod tests;

pub(crate) use joining::Joining;
pub(crate) use remaining::Remaining;
use remaining::sums;

/// What the opaques of NOOPs of this crate's own differ by from the last one of a caller.
pub(crate) const INTERNAL: u32 = 0x8000_0000;

/// A list for no more than so many requests, 480 bytes, stays with its connection.
const OWN: usize = 40;

/// A request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) opaque: u32,
    /// Bytes of the packet.
    pub(crate) len: u32,
    pub(crate) opcode: Opcode,
    pub(crate) origin: Origin,
    /// Whether the server answers only what is unusual.
    is_quiet: bool,
}

impl Entry {
    #[inline(always)]
    pub(crate) fn new(opaque: u32, len: u32, opcode: Opcode, origin: Origin) -> Self {
        Self { opaque, len, opcode, origin, is_quiet: opcode.is_quiet() }
    }

    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }
}

/// How a request came to this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By its key: another server may take it over while it is not sent.
    Key,
    /// The caller named the server.
    Server,
    /// Made by this crate to learn the fate of quiet requests; its own outcome is nobody's business.
    Internal,
}

/// What a response says of the requests in the FIFO.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// It answers the entry behind `silent` quiet ones, which are hereby settled.
    Entry { silent: usize },
    /// It answers nothing.
    None,
}

/// Requests in the order in which they are sent; servers answer in that order.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// Those from `head` on are under way; those before it had their outcome.
    entries: Vec<Entry>,
    head: usize,
    /// Bytes of all packets under way.
    bytes: usize,
    loud: usize,
    /// The place behind the last one that gets a response in any case.
    loud_end: usize,
}

impl InFlight {
    #[inline(always)]
    pub(crate) fn push(&mut self, entry: Entry, pool: &mut Pool) {
        if self.entries.len() == self.entries.capacity() {
            self.make_room(pool);
        }
        self.push_at_hand(entry);
    }

    /// Whether there is memory at hand for one more, and less than `longest` quiet ones stand in a row.
    #[inline(always)]
    pub(crate) fn has_room(&self, longest: usize) -> bool {
        let len = self.entries.len();
        len < self.entries.capacity() && (len < longest || self.quiet_run() < longest)
    }

    /// As [`InFlight::push`], where there is memory at hand.
    #[inline(always)]
    pub(crate) fn push_at_hand(&mut self, entry: Entry) {
        self.bytes += entry.len as usize;
        self.entries.push(entry);
        if !entry.is_quiet {
            self.loud += 1;
            self.loud_end = self.entries.len();
        }
    }

    /// Takes requests together, until there are `longest` quiet ones in a row; [`InFlight::took`] is to follow.
    #[inline(always)]
    pub(crate) fn at_hand(&mut self, longest: usize) -> Joining<'_> {
        let left = longest.saturating_sub(self.quiet_run());
        Joining::new(&mut self.entries, longest, left)
    }

    /// Counts those that joined together: their bytes, and how many of them get a response in any case.
    #[inline(always)]
    pub(crate) fn took(&mut self, bytes: usize, loud: usize) {
        self.bytes += bytes;
        if loud > 0 {
            self.loud += loud;
            self.find_loud_end();
        }
    }

    /// Makes room for so many more at once.
    #[inline]
    pub(crate) fn reserve(&mut self, count: usize, pool: &mut Pool) {
        if self.entries.capacity() - self.entries.len() < count {
            self.make_room(pool);
            if self.entries.is_empty() && self.entries.capacity() < count {
                // Nothing of it is to be copied.
                self.entries = Vec::with_capacity(count);
            } else {
                self.entries.reserve(count);
            }
        }
    }

    /// Takes memory that another list had, or forgets those that had their outcome, where they are many; else the list is
    /// to grow.
    #[cold]
    fn make_room(&mut self, pool: &mut Pool) {
        if self.entries.capacity() == 0 {
            self.entries = pool.take_list();
        }
        if self.head >= self.entries.len() / 2 {
            self.entries.drain(..self.head);
            self.loud_end = self.loud_end.saturating_sub(self.head);
            self.head = 0;
        }
    }

    /// Gives the memory of the list back, where it is empty and not small.
    #[inline]
    pub(crate) fn give_memory(&mut self, pool: &mut Pool) {
        self.forget_answered();
        if self.entries.is_empty() && self.entries.capacity() > OWN {
            pool.give_list(std::mem::take(self).entries);
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == self.entries.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.under_way().len()
    }

    #[inline]
    fn under_way(&self) -> &[Entry] {
        self.entries.get(self.head..).unwrap_or_default()
    }

    /// Requests that get a response in any case.
    #[inline]
    pub(crate) fn loud(&self) -> usize {
        self.loud
    }

    /// Quiet requests behind the last one that gets a response.
    #[inline]
    pub(crate) fn quiet_run(&self) -> usize {
        self.entries.len() - self.loud_end.max(self.head)
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&Entry> {
        self.under_way().get(at)
    }

    #[inline]
    pub(crate) fn front(&self) -> Option<&Entry> {
        self.entries.get(self.head)
    }

    /// Looks for the request that a response with this opaque answers. Only quiet ones may stand before it, and of the
    /// stream's last `unsent` bytes, which are not sent, nothing can be answered.
    #[inline]
    pub(crate) fn find(&self, opaque: u32, unsent: usize) -> Match {
        // Mostly all is sent, and what is answered is the only one that has to be.
        if self.loud == 1
            && unsent == 0
            && let Some(last) = self.loud_end.checked_sub(1)
            && self.entries.get(last).is_some_and(|entry| entry.opaque == opaque)
        {
            return Match::Entry { silent: last - self.head };
        }
        let mut bytes = self.bytes;
        for (silent, entry) in self.under_way().iter().enumerate() {
            if bytes <= unsent {
                break;
            }
            if entry.opaque == opaque {
                return Match::Entry { silent };
            }
            if !entry.is_quiet {
                break;
            }
            bytes -= entry.len as usize;
        }
        Match::None
    }

    /// Takes out the first entry, where it is the one that a response with this opaque and opcode answers.
    #[inline(always)]
    pub(crate) fn pop_answered(&mut self, opaque: u32, opcode: Opcode) -> Option<Entry> {
        let &entry = self.front()?;
        if entry.opaque != opaque || entry.opcode != opcode {
            return None;
        }
        self.take_out(&entry);
        Some(entry)
    }

    /// Those under way, and what is to be told of those that had their outcome.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&[Entry], Remaining<'_>) {
        let Self { entries, head, bytes, loud, .. } = self;
        (entries.get(*head..).unwrap_or_default(), Remaining { head, bytes, loud })
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let entry = *self.front()?;
        self.take_out(&entry);
        Some(entry)
    }

    /// Takes out the first entry, which this is.
    #[inline(always)]
    fn take_out(&mut self, entry: &Entry) {
        self.head += 1;
        self.bytes -= entry.len as usize;
        if !entry.is_quiet {
            self.loud -= 1;
        }
        self.forget_answered();
    }

    /// Takes out the first `count` entries.
    pub(crate) fn drop_first(&mut self, count: usize) {
        let (entries, remaining) = self.parts();
        remaining.take_out(entries, entries.get(count..).unwrap_or_default());
        self.forget_answered();
    }

    /// Gives the whole list to those that come next, where all had their outcome.
    #[inline(always)]
    fn forget_answered(&mut self) {
        if self.head == self.entries.len() {
            self.entries.clear();
            (self.head, self.loud_end) = (0, 0);
        }
    }

    /// Takes the outcome of the first entry as told.
    pub(crate) fn disown_front(&mut self) {
        if let Some(entry) = self.entries.get_mut(self.head) {
            entry.origin = Origin::Internal;
        }
    }

    /// How many of the last entries lie wholly in the last `bytes` bytes of the stream, and their length together.
    pub(crate) fn unsent(&self, bytes: usize) -> (usize, usize) {
        let (mut count, mut total) = (0, 0);
        for entry in self.under_way().iter().rev() {
            let longer = total + entry.len as usize;
            if longer > bytes {
                break;
            }
            (count, total) = (count + 1, longer);
        }
        (count, total)
    }

    /// Looks for a request that lies wholly in the last `unsent` bytes of the stream: its place, and the bytes behind
    /// it. From both ends, as those who give up do so in order.
    pub(crate) fn find_unsent(&self, opaque: u32, unsent: usize) -> Option<(usize, usize)> {
        let is_it = |entry: &Entry| entry.opaque == opaque && entry.origin != Origin::Internal;
        let under_way = self.under_way();
        let (mut first, mut last) = (0, under_way.len());
        let (mut ahead, mut behind) = (self.bytes, 0);
        while first < last {
            let entry = under_way.get(first)?;
            let rest = ahead - entry.len as usize;
            if is_it(entry) {
                return (ahead <= unsent).then_some((first, rest));
            }
            (first, ahead) = (first + 1, rest);
            last -= 1;
            let entry = under_way.get(last)?;
            let longer = behind + entry.len as usize;
            if longer > unsent {
                return None;
            }
            if is_it(entry) {
                return Some((last, behind));
            }
            behind = longer;
        }
        None
    }

    /// The request of a caller with this opaque. They mostly stand in the order of their opaques; then it is found without
    /// looking at each.
    pub(crate) fn entry(&self, opaque: u32) -> Option<&Entry> {
        // A NOOP of this crate's own counts as the request before it.
        let order = |entry: &Entry| match entry.origin {
            Origin::Internal => entry.opaque ^ INTERNAL,
            _ => entry.opaque,
        };
        let under_way = self.under_way();
        let first = order(self.front()?);
        let distance = opaque.wrapping_sub(first);
        let at = under_way.partition_point(|entry| order(entry).wrapping_sub(first) < distance);
        let is_it = |entry: &&Entry| entry.opaque == opaque && entry.origin != Origin::Internal;
        under_way.get(at).filter(is_it).or_else(|| under_way.iter().find(is_it))
    }

    /// Takes out the entry at this place; the shorter side moves.
    pub(crate) fn remove(&mut self, at: usize) -> Option<Entry> {
        let entry = *self.under_way().get(at)?;
        let place = self.head + at;
        let was_last_loud = self.loud_end == place + 1;
        if at < self.under_way().len() / 2 {
            self.entries.copy_within(self.head..place, self.head + 1);
            self.loud_end += usize::from((self.head + 1..=place).contains(&self.loud_end));
            self.head += 1;
        } else {
            self.entries.remove(place);
            self.loud_end -= usize::from(self.loud_end > place);
        }
        self.bytes -= entry.len as usize;
        self.loud -= usize::from(!entry.is_quiet);
        if was_last_loud {
            self.find_loud_end();
        }
        Some(entry)
    }

    /// The last `count` entries, the last one first.
    pub(crate) fn last(&self, count: usize) -> impl Iterator<Item = &Entry> {
        self.under_way().iter().rev().take(count)
    }

    /// Takes out the last `count` entries, in order.
    pub(crate) fn split_tail(&mut self, count: usize) -> Vec<Entry> {
        let at = self.entries.len() - count.min(self.under_way().len());
        let tail = self.entries.split_off(at);
        let (bytes, loud) = sums(&tail);
        (self.bytes, self.loud) = (self.bytes - bytes, self.loud - loud);
        self.find_loud_end();
        tail
    }

    fn find_loud_end(&mut self) {
        let last = self.under_way().iter().rposition(|entry| !entry.is_quiet);
        self.loud_end = last.map_or(0, |last| self.head + last + 1);
    }
}
