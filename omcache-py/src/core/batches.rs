//! Submitting the requests of a batch.

use std::ops::Range;

use omcache::driver::Level;
use omcache::driver::conn::{Instant, SubmitError, Target};
use omcache::driver::proto::Request;

use super::{Core, STRIDE};
use crate::answer::Answer;
use crate::op::{Op, OpId};

impl Core {
    /// Submits the requests of a batch at these places, as far as there is room for them, and has an operation wait for
    /// them. Beside it the place where the batch is to go on is returned.
    #[inline]
    pub(crate) fn submit_batch<'r>(
        &mut self,
        mut now: Instant,
        places: Range<usize>,
        request: &impl Fn(usize) -> Request<'r>,
    ) -> (OpId, usize) {
        let mut op = self.new_batch(&places);
        let mut next = places.end;
        for place in places {
            let request = request(place);
            match self.driver.cluster.submit(Target::Key, &request) {
                Ok(opaque) => {
                    op.accept(in_range(place));
                    if self.log_level == Some(Level::Debug) {
                        self.log_sent(&request, opaque);
                    }
                    if op.count.is_multiple_of(STRIDE) {
                        (op, now) = self.look_amid(op, now);
                    }
                }
                Err(SubmitError::SendBufferFull { queued: 1.., .. }) if op.count > 0 => {
                    next = place;
                    break;
                }
                Err(error) => self.refuse(&mut op, place, &error),
            }
        }
        (self.await_batch(op), next)
    }

    fn new_batch(&mut self, places: &Range<usize>) -> Box<Op> {
        self.last_id += 1;
        let first = self.driver.cluster.last_opaque().wrapping_add(1);
        Box::new(Op::batch(self.last_id, first, in_range(places.start), places.len()))
    }

    /// Looks at the sockets before the batch is whole.
    #[cold]
    fn look_amid(&mut self, mut op: Box<Op>, now: Instant) -> (Box<Op>, Instant) {
        let (id, first) = (op.id, op.first);
        // One more than there are, so that it is not done.
        op.outstanding += 1;
        self.ops.push_back(op);
        let now = self.look(now);
        // It is the last one, as nothing was submitted meanwhile.
        let mut op = self.ops.pop_back().unwrap_or_else(|| Box::new(Op::batch(id, first, 0, 0)));
        op.outstanding -= 1;
        (op, now)
    }

    #[cold]
    fn refuse(&mut self, op: &mut Op, place: usize, error: &SubmitError) {
        let answer = Answer::refused(error);
        self.note(&answer);
        op.refuse(in_range(place), answer);
    }

    #[cold]
    fn log_sent(&mut self, request: &Request<'_>, opaque: u32) {
        self.log_message("sending", self.driver.cluster.last_server(), request.opcode(), opaque);
    }

    fn await_batch(&mut self, op: Box<Op>) -> OpId {
        let id = op.id;
        if op.outstanding == 0 {
            self.done.push_back(op)
        } else {
            self.ops.push_back(op)
        }
        id
    }
}

/// A batch has less than 2^32 keys: their references alone would take 32 GiB.
#[inline]
fn in_range(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
