//! An operation that waits for its requests.

use std::collections::VecDeque;

use omcache::driver::conn::Response;
use omcache::driver::proto::binary::{Opcode, Status};
use smallvec::SmallVec;

use crate::answer::Answer;

/// Names an operation.
pub(crate) type OpId = u64;

/// A longer value is not copied from where it was received, in bytes.
const COPIED: usize = 16 * 1024;

/// Memory that is reserved for the values of a batch when the first one comes, in bytes at most.
const RESERVED: usize = 1024 * 1024;

/// An operation: one request, or the many of a batch.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) id: OpId,
    /// The opaque of the first request; they are consecutive.
    pub(crate) first: u32,
    pub(crate) count: u32,
    pub(crate) outstanding: u32,
    places: Places,
    /// Of a batch: a bit for each request, in the order of opaques, that is set when it is settled.
    settled: Vec<u64>,
    /// What became of the requests, by place. Of a quiet one that was answered by silence nothing is told.
    pub(crate) answers: SmallVec<[(u32, Answer); 1]>,
    /// Of a batch: the values that were read, but for long ones, which are among the answers.
    pub(crate) values: Values,
}

/// The place of each request among the keys of its batch.
#[derive(Debug)]
enum Places {
    /// They follow each other, beginning here.
    From(u32),
    /// Some were refused: those of the others, in the order of opaques.
    Listed(Vec<u32>),
}

/// Values that were read, one behind the other, so that they cost no allocation each.
#[derive(Debug, Default)]
pub(crate) struct Values {
    found: Vec<Found>,
    bytes: Vec<u8>,
}

/// One value that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) place: u32,
    pub(crate) flags: u32,
    pub(crate) cas: u64,
    len: usize,
}

impl Values {
    /// All of them, in the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Found, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.found.iter().map(move |&found| {
            let (value, behind) = rest.split_at_checked(found.len).unwrap_or_default();
            rest = behind;
            (found, value)
        })
    }

    #[cold]
    fn reserve(&mut self, count: usize, len: usize) {
        self.found.reserve(count);
        self.bytes.reserve(count.saturating_mul(len).min(RESERVED));
    }
}

/// Which requests of an operation were taken back unsent: a bit for each, in the order of opaques, as a large batch may be
/// given up whole.
#[derive(Debug)]
pub(crate) struct Unsent {
    first: u32,
    bits: Vec<u64>,
}

impl Unsent {
    /// None of this operation's.
    pub(crate) fn none_of(op: &Op) -> Self {
        Self { first: op.first, bits: vec![0; (op.count as usize).div_ceil(64)] }
    }

    /// Notes the request with this opaque.
    pub(crate) fn note(&mut self, opaque: u32) {
        let at = opaque.wrapping_sub(self.first);
        if let Some(bits) = self.bits.get_mut(at as usize / 64) {
            *bits |= 1 << (at % 64);
        }
    }

    fn contains(&self, at: u32) -> bool {
        self.bits.get(at as usize / 64).is_some_and(|bits| bits & (1 << (at % 64)) != 0)
    }
}

impl Op {
    fn new(id: OpId, first: u32) -> Self {
        Self {
            id,
            first,
            count: 0,
            outstanding: 0,
            places: Places::From(0),
            settled: Vec::new(),
            answers: SmallVec::new(),
            values: Values::default(),
        }
    }

    /// One that waits for this request.
    #[inline]
    pub(crate) fn single(id: OpId, opaque: u32) -> Self {
        Self { count: 1, outstanding: 1, ..Self::new(id, opaque) }
    }

    /// One that waits for nothing yet, for requests of which the first will have this opaque and this place.
    pub(crate) fn batch(id: OpId, first: u32, place: u32, count: usize) -> Self {
        let settled = vec![0; count.div_ceil(64)];
        Self { places: Places::From(place), settled, ..Self::new(id, first) }
    }

    /// Waits for a request more.
    #[inline]
    pub(crate) fn accept(&mut self, place: u32) {
        self.count += 1;
        self.outstanding += 1;
        if let Places::Listed(places) = &mut self.places {
            places.push(place);
        }
    }

    /// Notes a request that was refused.
    #[cold]
    pub(crate) fn refuse(&mut self, place: u32, answer: Answer) {
        if let Places::From(first) = self.places {
            self.places = Places::Listed((first..).take(self.count as usize).collect());
        }
        self.answers.push((place, answer));
    }

    #[inline]
    pub(crate) fn contains(&self, opaque: u32) -> bool {
        opaque.wrapping_sub(self.first) < self.count
    }

    #[inline]
    fn place(&self, at: u32) -> u32 {
        match &self.places {
            Places::From(first) => first.wrapping_add(at),
            Places::Listed(places) => places.get(at as usize).copied().unwrap_or_default(),
        }
    }

    /// Takes a response to one of its requests.
    #[inline]
    pub(crate) fn answered(&mut self, response: Response<'_>) {
        let packet = response.packet();
        let at = packet.opaque.wrapping_sub(self.first);
        let len = packet.value.len();
        let is_value = packet.status == Status::SUCCESS
            && packet.key.is_empty()
            && len <= COPIED
            && !self.settled.is_empty();
        let Some(flags) = packet.flags().filter(|_| is_value) else {
            return self.answered_otherwise(response);
        };
        if self.values.found.is_empty() {
            self.values.reserve(self.outstanding as usize, len);
        }
        let place = self.place(at);
        self.values.bytes.extend_from_slice(packet.value);
        self.values.found.push(Found { place, flags, cas: packet.cas, len });
        self.end(at);
    }

    #[cold]
    fn answered_otherwise(&mut self, response: Response<'_>) {
        let ends = response.header().opcode != Opcode::STAT || response.packet().ends_stat();
        let at = response.opaque().wrapping_sub(self.first);
        self.answers.push((self.place(at), Answer::of_response(response)));
        if ends {
            self.end(at);
        }
    }

    /// Notes how a request ended without a response; nothing for silence.
    #[inline]
    pub(crate) fn settle(&mut self, opaque: u32, answer: Option<Answer>) {
        let at = opaque.wrapping_sub(self.first);
        if let Some(answer) = answer {
            self.answers.push((self.place(at), answer));
        }
        self.end(at);
    }

    #[inline]
    fn end(&mut self, at: u32) {
        if let Some(bits) = self.settled.get_mut(at as usize / 64) {
            *bits |= 1 << (at % 64);
        }
        self.outstanding -= 1;
    }

    /// Whether there is more to tell of its requests than that they are on their way.
    pub(crate) fn has_news(&self) -> bool {
        !self.answers.is_empty() || !self.values.found.is_empty()
    }

    /// Notes that those which are still outstanding are given up, and which of them were taken back unsent.
    pub(crate) fn give_up(&mut self, unsent: &Unsent) {
        for at in 0..self.count {
            let is_settled = match self.settled.get(at as usize / 64) {
                Some(bits) => bits & (1 << (at % 64)) != 0,
                None => self.outstanding == 0,
            };
            if !is_settled {
                self.answers.push((self.place(at), Answer::timeout(!unsent.contains(at))));
            }
        }
        self.outstanding = 0;
    }
}

/// The operation that waits for this opaque.
#[inline]
pub(crate) fn find(ops: &VecDeque<Box<Op>>, opaque: u32) -> Option<usize> {
    let base = ops.front()?.first;
    let distance = opaque.wrapping_sub(base);
    let at = match ops.len() {
        1 => 0,
        _ => ops.partition_point(|op| op.first.wrapping_sub(base) <= distance).checked_sub(1)?,
    };
    ops.get(at)?.contains(opaque).then_some(at)
}
