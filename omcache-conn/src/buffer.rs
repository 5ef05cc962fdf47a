//! Bounded buffers of a connection, and the pool that idle connections give them back to.

use bytes::{Buf, Bytes, BytesMut};

use crate::in_flight::Entry;

mod outgoing;
#[cfg(test)]
mod tests;

pub(crate) use outgoing::Outgoing;

/// What one read is offered at least, in bytes.
const MIN_SPACE: usize = 16 * 1024;
/// A fresh receive chunk, in bytes.
pub(crate) const CHUNK: usize = 64 * 1024;
/// Bytes that are zeroed at a time: one long fill counts an instruction for each byte.
const FILL: usize = 1024;
/// Buffers of each kind but chunks that are kept are together no larger than this, in bytes.
const MAX_KEPT: usize = 1024 * 1024;
/// Chunks that are kept, 2 MiB together, and the most of messages' own buffers.
const POOLED: usize = 32;

/// Buffers that no connection uses now, and received bytes that the caller still looks at.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// Of [`CHUNK`] bytes, or what is left of that.
    chunks: Vec<BytesMut>,
    /// One such that was used last, or nothing: it changes places with a connection's empty buffer.
    spare: BytesMut,
    /// Those that held one long message each.
    large: Vec<BytesMut>,
    /// Send buffers.
    outgoing: Stock<u8>,
    /// Lists of requests.
    lists: Stock<Entry>,
    /// While true, received bytes stay where they are until [`Pool::release`].
    pub(crate) hold: bool,
    held: Vec<BytesMut>,
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
        if let Some(at) = self.chunks.iter().rposition(|chunk| chunk.len() >= space) {
            return self.chunks.swap_remove(at);
        }
        // One that is too short, unless a piece that is held may belong to it.
        let mut chunk =
            if self.held.is_empty() { self.chunks.pop().unwrap_or_default() } else { BytesMut::new() };
        // Reuses the whole allocation where no value refers to it any more. Zeroed, as reading into
        // uninitialised memory would take unsafe code.
        chunk.clear();
        chunk.reserve(CHUNK);
        while chunk.len() < CHUNK {
            chunk.resize(chunk.len() + FILL, 0);
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
            } else if let Some(short) = self.chunks.iter_mut().find(|other| other.len() < MIN_SPACE) {
                *short = chunk;
            }
        } else if has_room(self.large.iter().map(BytesMut::capacity), chunk.capacity()) {
            self.large.push(chunk);
        }
    }

    /// A send buffer, if there is one.
    fn take_outgoing(&mut self) -> Vec<u8> {
        self.outgoing.take()
    }

    fn give_outgoing(&mut self, buffer: Vec<u8>) {
        self.outgoing.give(buffer);
    }

    /// An empty list of requests, with memory if there is some.
    pub(crate) fn take_list(&mut self) -> Vec<Entry> {
        self.lists.take()
    }

    pub(crate) fn give_list(&mut self, mut list: Vec<Entry>) {
        list.clear();
        self.lists.give(list);
    }

    /// Lets go of what was held, but for the first `kept` pieces.
    pub(crate) fn release(&mut self, kept: usize) {
        // The last one first: it lies before what is left of its chunk, and the one before it before both.
        while self.held.len() > kept
            && let Some(piece) = self.held.pop()
        {
            self.rejoin(piece);
        }
    }

    /// Puts a piece of a chunk back together with the rest: it need not be zeroed again before it is read into.
    fn rejoin(&mut self, mut piece: BytesMut) {
        let end = piece.as_ptr().addr() + piece.len();
        // What is longer than a chunk would be two neighbours.
        let most = CHUNK.saturating_sub(piece.len());
        let is_rest = |chunk: &BytesMut| chunk.as_ptr().addr() == end && chunk.len() <= most;
        if is_rest(&self.spare) {
            piece.unsplit(std::mem::take(&mut self.spare));
            self.spare = piece;
        } else if let Some(at) = self.chunks.iter().position(is_rest) {
            piece.unsplit(self.chunks.swap_remove(at));
            self.chunks.push(piece);
        } else if piece.len() >= MIN_SPACE {
            // The rest is in use, or there is none.
            self.give_chunk(piece);
        }
    }

    /// How many pieces are held.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }
}

/// Memory that is kept, together no more than [`MAX_KEPT`].
#[derive(Debug)]
struct Stock<T> {
    kept: Vec<Vec<T>>,
    bytes: usize,
}

impl<T> Default for Stock<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), bytes: 0 }
    }
}

impl<T> Stock<T> {
    #[inline]
    fn take(&mut self) -> Vec<T> {
        let Some(taken) = self.kept.pop() else { return Vec::new() };
        self.bytes -= bytes_of(&taken);
        taken
    }

    #[inline]
    fn give(&mut self, given: Vec<T>) {
        let bytes = bytes_of(&given);
        if bytes > 0 && self.bytes + bytes <= MAX_KEPT {
            self.bytes += bytes;
            self.kept.push(given);
        }
    }
}

fn bytes_of<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}

/// Whether one more of so many bytes may be kept beside these.
fn has_room(kept: impl ExactSizeIterator<Item = usize>, bytes: usize) -> bool {
    kept.len() < POOLED && kept.sum::<usize>() + bytes <= MAX_KEPT
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

    /// As [`Incoming::pending`], with the position to be moved past what was decoded.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&[u8], &mut usize) {
        (self.buffer.get(self.pos..self.filled).unwrap_or_default(), &mut self.pos)
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
                pool.held.push(old);
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
    #[inline]
    pub(crate) fn take_before_position(&mut self, len: usize) -> Bytes {
        let Some(before) = self.pos.checked_sub(len) else { return Bytes::new() };
        let mut value = self.take_decoded();
        value.advance(before);
        value
    }

    /// All before the position, taken out without copying.
    #[inline]
    pub(crate) fn take_decoded(&mut self) -> Bytes {
        let decoded = self.buffer.split_to(self.pos).freeze();
        self.filled -= std::mem::take(&mut self.pos);
        decoded
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
            pool.held.push(chunk.split_to(self.filled));
        }
        (self.pos, self.filled) = (0, 0);
        pool.give_chunk(chunk);
    }

    /// Holds what is decoded, apart from what is still to be.
    pub(crate) fn hold_decoded(&mut self, pool: &mut Pool) {
        let decoded = self.buffer.split_to(self.pos.min(self.buffer.len()));
        if !decoded.is_empty() {
            pool.held.push(decoded);
        }
        self.filled -= std::mem::take(&mut self.pos);
    }

    /// Forgets everything, as the connection is gone.
    pub(crate) fn reset(&mut self, pool: &mut Pool) {
        self.pos = self.filled;
        (self.needed, self.skip) = (0, 0);
        self.settle(pool);
    }
}
