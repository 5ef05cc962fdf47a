//! What the driver has to tell, and whom.

use omcache::driver::Level;
use omcache::driver::conn::{Event, Outcome, Settled};
use omcache::driver::proto::binary::Opcode;

use super::Core;
use crate::answer::Answer;
use crate::op::find;

impl Core {
    /// Takes what the driver has to tell.
    #[inline]
    pub(crate) fn take_events(&mut self) {
        if self.driver.cluster.has_events() {
            self.take_all_events();
        }
    }

    fn take_all_events(&mut self) {
        self.happened = true;
        let logs = self.log_level == Some(Level::Debug);
        let mut in_order = !logs;
        loop {
            // Most are responses in the order of their requests; silence stands between them in runs.
            if in_order {
                self.take_responses();
            }
            in_order = !logs;
            match self.driver.cluster.poll_event() {
                Some(Event::Response(response)) => {
                    let (opaque, server, opcode) =
                        (response.opaque(), response.server(), response.header().opcode);
                    let Some(at) = find(&self.ops, opaque) else {
                        self.unawaited(server, opcode, opaque);
                        continue;
                    };
                    if let Some(op) = self.ops.get_mut(at) {
                        op.answered(response);
                    }
                    if logs {
                        self.log_message("received", server, opcode, opaque);
                    }
                    self.finish(at);
                }
                Some(Event::Settled(settled)) => {
                    in_order = false;
                    self.settle(&settled);
                }
                Some(Event::Server(event)) => {
                    self.closed = true;
                    self.driver.log_change(&event);
                    self.take_driver_lines();
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    /// Takes the responses that stand first, as long as nothing is amiss.
    fn take_responses(&mut self) {
        let Self { driver, ops, done, .. } = self;
        let mut at = 0;
        driver.cluster.take_responses(|response| {
            let opaque = response.opaque();
            // Most often the same operation waits for one after the other.
            if !ops.get(at).is_some_and(|op| op.contains(opaque)) {
                match find(ops, opaque) {
                    Some(found) => at = found,
                    None => return true,
                }
            }
            let Some(op) = ops.get_mut(at) else { return true };
            op.answered(response);
            if op.outstanding == 0 {
                done.extend(ops.remove(at));
            }
            true
        });
    }

    fn settle(&mut self, settled: &Settled) {
        let answer = match settled.outcome {
            Outcome::Silent => None,
            _ => self.failure(settled),
        };
        let Some(at) = find(&self.ops, settled.opaque) else { return };
        if let Some(op) = self.ops.get_mut(at) {
            op.settle(settled.opaque, answer);
        }
        self.finish(at);
    }

    #[cold]
    fn failure(&mut self, settled: &Settled) -> Option<Answer> {
        let server = self.server_name(settled.server);
        let answer = Answer::of_settled(settled, server.as_deref())?;
        self.note(&answer);
        Some(answer)
    }

    #[cold]
    fn unawaited(&mut self, server: usize, opcode: Opcode, opaque: u32) {
        if self.log_level == Some(Level::Debug) {
            self.log_message("nobody waits for the answer to", server, opcode, opaque);
        }
    }

    /// Moves an operation that waits for nothing any more to those that are done.
    #[inline]
    fn finish(&mut self, at: usize) {
        if self.ops.get(at).is_some_and(|op| op.outstanding == 0) {
            self.done.extend(self.ops.remove(at));
        }
    }
}
