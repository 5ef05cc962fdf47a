//! An operation that waits for its requests.

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::answer::Answer;

/// Names an operation.
pub(crate) type OpId = u64;

/// An operation: one request, or the many of a batch.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) id: OpId,
    /// The opaque of the first request; they are consecutive.
    pub(crate) first: u32,
    pub(crate) count: u32,
    pub(crate) outstanding: u32,
    /// Of a batch: the place of each request among its keys, and whether it is settled, in the order of opaques.
    pub(crate) places: Vec<(u32, bool)>,
    /// What became of the requests, by place. Of a quiet one that was answered by silence nothing is told.
    pub(crate) answers: SmallVec<[(u32, Answer); 1]>,
}

impl Op {
    /// One that waits for nothing yet; its first request will have this opaque.
    pub(crate) fn new(id: OpId, first: u32) -> Self {
        Self { id, first, count: 0, outstanding: 0, places: Vec::new(), answers: SmallVec::new() }
    }

    /// One that waits for this request.
    #[inline]
    pub(crate) fn single(id: OpId, opaque: u32) -> Self {
        Self { count: 1, outstanding: 1, ..Self::new(id, opaque) }
    }

    #[inline]
    pub(crate) fn contains(&self, opaque: u32) -> bool {
        opaque.wrapping_sub(self.first) < self.count
    }

    /// Notes what became of a request.
    #[inline]
    pub(crate) fn settle(&mut self, opaque: u32, answer: Option<Answer>, ends: bool) {
        let mut place = 0;
        if let Some((at, settled)) = self.places.get_mut(opaque.wrapping_sub(self.first) as usize) {
            place = *at;
            *settled |= ends;
        }
        self.outstanding -= u32::from(ends);
        self.answers.extend(answer.map(|answer| (place, answer)));
    }

    /// Notes that those which are still outstanding are given up; `unsent` has the opaques that were taken back.
    pub(crate) fn give_up(&mut self, unsent: &[u32]) {
        let mut end = |opaque: u32, place: u32| {
            self.answers.push((place, Answer::timeout(!unsent.contains(&opaque))));
        };
        if self.places.is_empty() && self.outstanding > 0 {
            end(self.first, 0);
        }
        for (at, &(place, settled)) in (0..).zip(&self.places) {
            if !settled {
                end(self.first.wrapping_add(at), place);
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
