//! The bytes that wait to be sent on one connection.

use bytes::BytesMut;

use super::{FILL, Pool};

/// A buffer that is no larger stays with its connection, in bytes.
const OWN: usize = 1536;
/// A fresh buffer, in bytes, where less is wanted.
const FRESH: usize = 128;

/// Bytes that wait to be sent.
///
/// `buffer[sent..end]` is unsent; all of `buffer` is initialised, so that packets are written in place.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(super) buffer: Vec<u8>,
    sent: usize,
    end: usize,
}

impl Outgoing {
    /// Appends `len` bytes and returns them, to be written to. There is always room for them: that none is returned without
    /// tells the compiler of their number.
    #[inline(always)]
    pub(crate) fn append(&mut self, len: usize, pool: &mut Pool) -> Option<&mut [u8]> {
        if self.end.wrapping_add(len) > self.buffer.len() {
            self.make_room(len, pool);
        }
        let (begin, end) = (self.end, self.end.wrapping_add(len));
        let space = self.buffer.get_mut(begin..end)?;
        self.end = end;
        Some(space)
    }

    /// As [`Outgoing::append`], where there is room at hand and no more than `limit` bytes wait then.
    #[inline(always)]
    pub(crate) fn append_at_hand(&mut self, len: usize, limit: usize) -> Option<&mut [u8]> {
        let (begin, end) = (self.end, self.end.wrapping_add(len));
        if end.wrapping_sub(self.sent) > limit {
            return None;
        }
        let space = self.buffer.get_mut(begin..end)?;
        self.end = end;
        Some(space)
    }

    /// The room at hand, where no more than `limit` bytes may wait. What is written to its front is to be taken.
    #[inline(always)]
    pub(crate) fn at_hand(&mut self, limit: usize) -> &mut [u8] {
        let room = limit.saturating_sub(self.len()).min(self.buffer.len() - self.end);
        self.buffer.get_mut(self.end..self.end + room).unwrap_or_default()
    }

    /// Appends what was written to the first `len` bytes of the room at hand.
    #[inline(always)]
    pub(crate) fn take(&mut self, len: usize) {
        self.end = (self.end + len).min(self.buffer.len());
    }

    /// Makes room for `len` bytes at once.
    #[inline]
    pub(crate) fn reserve(&mut self, len: usize, pool: &mut Pool) {
        if self.buffer.len() - self.end < len {
            self.make_room(len, pool);
        }
    }

    pub(crate) fn extend(&mut self, bytes: &[u8], pool: &mut Pool) {
        if let Some(space) = self.append(bytes.len(), pool) {
            space.copy_from_slice(bytes);
        }
    }

    /// Takes back the last `len` bytes.
    pub(crate) fn retract(&mut self, len: usize) {
        self.end = self.end.saturating_sub(len).max(self.sent);
    }

    /// Makes room for `len` bytes: forgets what was sent, where that is as much as what was not (else a stream that never
    /// runs dry would keep all of it), and grows where that does not do.
    #[cold]
    fn make_room(&mut self, len: usize, pool: &mut Pool) {
        if self.buffer.is_empty() {
            self.buffer = pool.take_outgoing();
        }
        if self.sent >= self.len() {
            self.buffer.copy_within(self.sent..self.end, 0);
            (self.sent, self.end) = (0, self.len());
        }
        let needed = self.end + len;
        if needed > self.buffer.len() {
            let grown = needed.max(2 * self.buffer.len()).max(FRESH);
            if self.is_empty() {
                // Nothing of it is to be copied.
                self.buffer = Vec::new();
            }
            self.buffer.reserve_exact(grown - self.buffer.len());
            while self.buffer.len() < grown {
                self.buffer.resize((self.buffer.len() + FILL).min(grown), 0);
            }
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end - self.sent
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.end == self.sent
    }

    #[inline]
    pub(crate) fn unsent(&self) -> &[u8] {
        self.buffer.get(self.sent..self.end).unwrap_or_default()
    }

    /// Takes `count` bytes as sent.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize, pool: &mut Pool) {
        self.sent = (self.sent + count).min(self.end);
        if self.sent == self.end {
            self.clear(pool);
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self, pool: &mut Pool) {
        self.clear_above(OWN, pool);
    }

    /// Forgets everything; a buffer that is larger than `kept` bytes is given back.
    #[inline]
    pub(crate) fn clear_above(&mut self, kept: usize, pool: &mut Pool) {
        (self.sent, self.end) = (0, 0);
        if self.buffer.len() > kept {
            pool.give_outgoing(std::mem::take(&mut self.buffer));
        }
    }

    /// Cuts off and returns the last `count` bytes.
    pub(crate) fn split_tail(&mut self, count: usize) -> BytesMut {
        let at = self.end.saturating_sub(count).max(self.sent);
        let tail = BytesMut::from(self.buffer.get(at..self.end).unwrap_or_default());
        self.end = at;
        if self.is_empty() {
            self.forget();
        }
        tail
    }

    /// Cuts out `count` bytes that are not sent, with `behind` bytes behind them; the shorter side moves.
    pub(crate) fn cut(&mut self, count: usize, behind: usize, pool: &mut Pool) {
        let end = self.end.saturating_sub(behind);
        let start = end.saturating_sub(count).max(self.sent);
        if start - self.sent <= behind {
            self.buffer.copy_within(self.sent..start, self.sent + (end - start));
            self.sent += end - start;
        } else {
            self.buffer.copy_within(end..self.end, start);
            self.end = start + behind;
        }
        if self.is_empty() {
            self.clear(pool);
        }
    }

    /// Drops everything, memory included.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}
