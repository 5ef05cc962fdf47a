//! Bounded buffers of a connection, and the pool that idle connections give them back to.

use bytes::{Buf, Bytes, BytesMut};

#[cfg(test)]
mod tests;

/// What one read is offered at least, in bytes.
const MIN_SPACE: usize = 16 * 1024;
/// A fresh receive chunk, in bytes.
pub(crate) const CHUNK: usize = 64 * 1024;
/// Bytes that are zeroed at a time.
const FILL: usize = 1024;
/// A larger buffer is not kept when a connection gives it back.
const MAX_KEPT: usize = 1024 * 1024;
/// Buffers of each kind that are kept, together no larger than [`MAX_KEPT`].
const POOLED: usize = 16;
/// A send buffer that is no larger stays with its connection, in bytes.
const OWN: usize = 512;
/// Sent bytes that stand before the unsent ones at most, where those are fewer.
const MAX_SENT: usize = 64 * 1024;

/// Buffers that no connection uses now, and received bytes that the caller still looks at.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// Of [`CHUNK`] bytes, or what is left of that.
    chunks: Vec<BytesMut>,
    /// One such that was used last, or nothing: it changes places with a connection's empty buffer.
    spare: BytesMut,
    /// Those that held one long message each.
    large: Vec<BytesMut>,
    outgoing: Vec<BytesMut>,
    /// While true, received bytes stay where they are until [`Pool::release`].
    pub(crate) hold: bool,
    held: Vec<Bytes>,
}

impl Pool {
    /// A chunk with at least `space` initialised bytes.
    #[inline]
    fn take_chunk(&mut self, space: usize) -> BytesMut {
        match self.chunks.pop_if(|chunk| chunk.len() >= space) {
            Some(chunk) => chunk,
            None => self.make_chunk(space),
        }
    }

    #[cold]
    fn make_chunk(&mut self, space: usize) -> BytesMut {
        if space > CHUNK {
            return self.take_large(space);
        }
        let mut chunk = self.chunks.pop().unwrap_or_default();
        if chunk.len() < space {
            // Reuses the whole allocation where no value refers to it any more. Zeroed, as reading into
            // uninitialised memory would take unsafe code.
            chunk.clear();
            chunk.reserve(CHUNK);
            while chunk.len() < CHUNK {
                // In steps, as one long fill counts an instruction for each byte.
                chunk.resize(chunk.len() + FILL, 0);
            }
        }
        chunk
    }

    /// A chunk with exactly `space` bytes, so that nothing but one message lies in it: a value that is taken out of
    /// it then keeps no more than twice its own length alive.
    #[cold]
    fn take_large(&mut self, space: usize) -> BytesMut {
        let fits = |chunk: &BytesMut| chunk.capacity() >= space && chunk.capacity() / 2 <= space;
        let Some(at) = self.large.iter().position(fits) else { return BytesMut::zeroed(space) };
        let mut chunk = self.large.swap_remove(at);
        chunk.resize(space, 0);
        chunk
    }

    #[inline]
    fn give_chunk(&mut self, chunk: BytesMut) {
        // One without bytes left would only keep the memory of values that were taken out of it.
        if chunk.is_empty() || chunk.capacity() > MAX_KEPT {
            return;
        }
        if chunk.capacity() <= CHUNK {
            if self.chunks.len() < POOLED {
                self.chunks.push(chunk);
            }
        } else if has_room(&self.large, &chunk) {
            self.large.push(chunk);
        }
    }

    fn take_outgoing(&mut self) -> BytesMut {
        self.outgoing.pop().unwrap_or_default()
    }

    fn give_outgoing(&mut self, mut buffer: BytesMut) {
        if buffer.capacity() > 0 && has_room(&self.outgoing, &buffer) {
            buffer.clear();
            self.outgoing.push(buffer);
        }
    }

    /// Lets go of what was held.
    pub(crate) fn release(&mut self) {
        self.held.clear();
    }

    /// Whether there is anything to let go of.
    #[inline]
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }
}

/// Whether one more buffer may be kept beside these.
fn has_room(kept: &[BytesMut], buffer: &BytesMut) -> bool {
    kept.len() < POOLED && kept.iter().map(BytesMut::capacity).sum::<usize>() + buffer.capacity() <= MAX_KEPT
}

/// Bytes that wait to be sent.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    buffer: BytesMut,
    sent: usize,
}

impl Outgoing {
    /// The buffer to append a packet to.
    #[inline(always)]
    pub(crate) fn append(&mut self, pool: &mut Pool) -> &mut BytesMut {
        if self.buffer.capacity() == 0 {
            self.take_buffer(pool);
        } else if self.sent >= MAX_SENT && self.sent >= self.len() {
            self.compact();
        }
        &mut self.buffer
    }

    #[cold]
    fn take_buffer(&mut self, pool: &mut Pool) {
        self.buffer = pool.take_outgoing();
    }

    /// Forgets what was sent: else a stream that never runs dry would keep all of it.
    #[cold]
    fn compact(&mut self) {
        let len = self.len();
        self.buffer.copy_within(self.sent.., 0);
        self.buffer.truncate(len);
        self.sent = 0;
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() - self.sent
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.len() == self.sent
    }

    #[inline]
    pub(crate) fn unsent(&self) -> &[u8] {
        self.buffer.get(self.sent..).unwrap_or_default()
    }

    /// Takes `count` bytes as sent.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize, pool: &mut Pool) {
        self.sent = (self.sent + count).min(self.buffer.len());
        if self.sent == self.buffer.len() {
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
        self.sent = 0;
        if self.buffer.capacity() <= kept {
            self.buffer.clear();
            return;
        }
        pool.give_outgoing(std::mem::take(&mut self.buffer));
    }

    /// Cuts off and returns the last `count` bytes.
    pub(crate) fn split_tail(&mut self, count: usize) -> BytesMut {
        let at = self.buffer.len().saturating_sub(count).max(self.sent);
        let tail = self.buffer.split_off(at);
        if self.is_empty() {
            // What is left shares the tail's memory and would keep it.
            self.forget();
        }
        tail
    }

    /// Cuts out `count` bytes that are not sent, with `behind` bytes behind them; the shorter side moves.
    pub(crate) fn cut(&mut self, count: usize, behind: usize, pool: &mut Pool) {
        let end = self.buffer.len().saturating_sub(behind);
        let start = end.saturating_sub(count).max(self.sent);
        if start - self.sent <= behind {
            self.buffer.copy_within(self.sent..start, self.sent + (end - start));
            self.sent += end - start;
        } else {
            self.buffer.copy_within(end.., start);
            self.buffer.truncate(start + behind);
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

/// Received bytes that are not decoded yet.
///
/// `buffer[pos..filled]` waits to be decoded; all of `buffer` is initialised.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    buffer: BytesMut,
    pos: usize,
    filled: usize,
    /// Bytes that the message at hand still lacks, where that is known.
    needed: usize,
    /// Bytes of an oversized body that are thrown away as they come.
    skip: usize,
}

impl Incoming {
    #[inline]
    pub(crate) fn pending(&self) -> &[u8] {
        self.buffer.get(self.pos..self.filled).unwrap_or_default()
    }

    /// Room for the next read: at least what the message at hand lacks.
    pub(crate) fn space(&mut self, pool: &mut Pool) -> &mut [u8] {
        if self.buffer.is_empty() {
            if self.buffer.capacity() == 0 && pool.spare.len() >= MIN_SPACE {
                std::mem::swap(&mut self.buffer, &mut pool.spare);
            } else {
                self.buffer = pool.take_chunk(MIN_SPACE);
            }
            (self.pos, self.filled) = (0, 0);
        }
        let tail = self.filled - self.pos;
        // A long message that is nearly there is not copied for the sake of one large read.
        let wanted =
            if tail > CHUNK / 2 && self.needed > 0 { self.needed } else { self.needed.max(MIN_SPACE) };
        if self.buffer.len() - self.filled < wanted {
            let mut fresh = pool.take_chunk(tail + wanted);
            fresh[..tail].copy_from_slice(&self.buffer[self.pos..self.filled]);
            let old = std::mem::replace(&mut self.buffer, fresh);
            if pool.hold {
                pool.held.push(old.freeze());
            } else {
                pool.give_chunk(old);
            }
            (self.pos, self.filled) = (0, tail);
        }
        &mut self.buffer[self.filled..]
    }

    /// Takes `count` bytes as received into [`Incoming::space`].
    #[inline]
    pub(crate) fn received(&mut self, count: usize) {
        let count = count.min(self.buffer.len() - self.filled);
        self.needed = 0;
        if self.skip >= count {
            // Nobody looks at these, so the next ones may take their place.
            self.skip -= count;
            return;
        }
        self.filled += count;
        self.pos += std::mem::take(&mut self.skip);
    }

    /// Whether nothing waits to be decoded, or to be thrown away.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.pos == self.filled && self.skip == 0
    }

    /// Forgets what stands in the buffer, so that all of it is room.
    #[inline]
    pub(crate) fn restart(&mut self) {
        (self.pos, self.filled, self.needed, self.skip) = (0, 0, 0, 0);
    }

    /// All of the buffer as room, what stands in it forgotten.
    #[inline]
    pub(crate) fn whole_space(&mut self, pool: &mut Pool) -> &mut [u8] {
        self.restart();
        if self.buffer.len() < MIN_SPACE {
            return self.space(pool);
        }
        &mut self.buffer
    }

    /// The `count` bytes that were read into [`Incoming::whole_space`].
    #[inline]
    pub(crate) fn just_read(&self, count: usize) -> Option<&[u8]> {
        self.buffer.get(..count)
    }

    /// Takes those bytes as received and decoded.
    #[inline]
    pub(crate) fn take_whole(&mut self, count: usize) {
        (self.pos, self.filled) = (count, count);
    }

    /// Notes that the message at hand lacks `count` bytes.
    pub(crate) fn lacks(&mut self, count: usize) {
        self.needed = count;
    }

    /// Moves past `count` decoded bytes.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        self.pos += count;
    }

    /// Throws away the next `count` bytes, those that are still to come included.
    pub(crate) fn discard(&mut self, count: usize) {
        let here = count.min(self.filled - self.pos);
        self.pos += here;
        self.skip = count - here;
    }

    /// Where the next message begins, as an offset for [`Incoming::slice`].
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.pos
    }

    #[inline]
    pub(crate) fn slice(&self, from: usize, to: usize) -> &[u8] {
        self.buffer.get(from..to).unwrap_or_default()
    }

    /// The last `len` bytes before the position, taken out without copying.
    pub(crate) fn take_before_position(&mut self, len: usize) -> Bytes {
        let Some(before) = self.pos.checked_sub(len) else { return Bytes::new() };
        self.buffer.advance(before);
        self.filled -= self.pos;
        self.pos = 0;
        self.buffer.split_to(len).freeze()
    }

    /// Gives the chunk back where everything in it is decoded.
    #[inline]
    pub(crate) fn settle(&mut self, pool: &mut Pool) {
        if self.pos < self.filled {
            return;
        }
        let holds = pool.hold && self.filled > 0;
        let is_plain = self.buffer.len() >= MIN_SPACE && self.buffer.capacity() <= CHUNK;
        if !holds && is_plain && pool.spare.is_empty() && pool.spare.capacity() == 0 {
            (self.pos, self.filled) = (0, 0);
            std::mem::swap(&mut self.buffer, &mut pool.spare);
            return;
        }
        let mut chunk = std::mem::take(&mut self.buffer);
        if holds {
            pool.held.push(chunk.split_to(self.filled).freeze());
        }
        (self.pos, self.filled) = (0, 0);
        pool.give_chunk(chunk);
    }

    /// Forgets everything, as the connection is gone.
    pub(crate) fn reset(&mut self, pool: &mut Pool) {
        self.pos = self.filled;
        (self.needed, self.skip) = (0, 0);
        self.settle(pool);
    }
}
