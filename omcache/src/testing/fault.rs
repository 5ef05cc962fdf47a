//! Misbehaviour: what a server can be told to do wrong, and for how long.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a [`Server`](super::Server) does wrong.
///
/// An answer is everything that one request gets: one response, or the many of STAT. Where the protocol has no answer
/// for a quiet request, the faults of answers change nothing and are not used up. Except with [`Fault::Status`], the
/// request is carried out as usual.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Reads and carries out requests, and leaves out the answer.
    StopAnswering,
    /// Stops reading from the connections that are open and that are opened, so that the buffers of the kernel fill.
    /// Reading goes on with the next call of [`Server::behave`](super::Server::behave) or of one of its opposites.
    StopReading,
    /// Closes the connection instead of answering.
    Close,
    /// Sends the beginning of the answer, then closes the connection.
    CutShort {
        /// How much to send, in bytes.
        bytes: usize,
    },
    /// Sends the beginning of the answer, and then nothing on this connection any more, which stays open.
    CutShortAndHang {
        /// How much to send, in bytes.
        bytes: usize,
    },
    /// Sends 64 bytes that are no response, the first of them a wrong magic, in place of the answer.
    Garbage,
    /// Answers under an opaque that the client has not used.
    WrongOpaque,
    /// Answers under the opcode of NOOP; a NOOP under that of VERSION.
    WrongOpcode,
    /// Tells a longer body than it sends.
    OversizedLength {
        /// How much longer, in bytes. The length stays below 4 GiB.
        by: u32,
    },
    /// Waits before each answer.
    Delay(Duration),
    /// Sends each answer in pieces.
    Split {
        /// The size of a piece, in bytes, at least 1.
        bytes: usize,
        /// The time to wait between two pieces.
        pause: Duration,
    },
    /// Answers every request with this status and its text, carrying none of them out.
    Status(u16),
    /// Accepts connections and closes them at once. Those that are open stay so.
    Refuse,
    /// Listens no more, so that the kernel refuses new connections. Those that are open stay so. Listening goes on with
    /// the next call of [`Server::behave`](super::Server::behave) or of one of its opposites.
    RefuseConnections,
}

/// What a fault happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concern {
    Answers,
    Reading,
    Connections,
    Listening,
}

impl Fault {
    pub(super) const fn concern(&self) -> Concern {
        match self {
            Self::StopReading => Concern::Reading,
            Self::Refuse => Concern::Connections,
            Self::RefuseConnections => Concern::Listening,
            _ => Concern::Answers,
        }
    }
}

/// A fault that is to happen now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) fault: Fault,
    plan: u64,
}

#[derive(Debug, Default)]
struct Plan {
    fault: Option<Fault>,
    /// How often it still happens, `None`: until told otherwise.
    left: Option<u64>,
    /// Tells one plan from the one before.
    number: u64,
}

/// The fault that is planned. Threads wait here for its end.
#[derive(Debug, Default)]
pub(super) struct Faults {
    plan: Mutex<Plan>,
    changed: Condvar,
}

impl Faults {
    /// Plans a fault in the place of the one before, to happen `left` times.
    pub(super) fn plan(&self, fault: Option<Fault>, left: Option<u64>) {
        let mut plan = self.locked();
        *plan = Plan { fault, left, number: plan.number.wrapping_add(1) };
        self.changed.notify_all();
    }

    /// Whether the fault that is planned is of this kind and still happens.
    pub(super) fn is(&self, concern: Concern) -> bool {
        self.locked().now(concern).is_some()
    }

    /// Takes one occurrence of the fault.
    pub(super) fn take(&self, concern: Concern) -> Option<Taken> {
        let mut plan = self.locked();
        let fault = plan.now(concern)?.clone();
        plan.left = plan.left.map(|left| left.saturating_sub(1));
        Some(Taken { fault, plan: plan.number })
    }

    /// Gives back an occurrence that was not used.
    pub(super) fn give_back(&self, taken: &Taken) {
        let mut plan = self.locked();
        if plan.number == taken.plan {
            plan.left = plan.left.map(|left| left.saturating_add(1));
        }
    }

    /// Waits while reading is stopped, and `closing` does not say otherwise.
    pub(super) fn wait_to_read(&self, closing: impl Fn() -> bool) {
        let stopped = |plan: &mut Plan| plan.now(Concern::Reading).is_some() && !closing();
        drop(self.changed.wait_while(self.locked(), stopped).unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits for this time, or until `closing` says that there is nothing to wait for.
    pub(super) fn wait(&self, time: Duration, closing: impl Fn() -> bool) {
        let waiting = |_: &mut Plan| !closing();
        drop(
            self.changed
                .wait_timeout_while(self.locked(), time, waiting)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Has those who wait ask again whether they should.
    pub(super) fn wake(&self) {
        // Under the lock, so that none is between asking and waiting.
        let _plan = self.locked();
        self.changed.notify_all();
    }

    fn locked(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn now(&self, concern: Concern) -> Option<&Fault> {
        // Only what happens to answers and connections can be counted.
        let counted = matches!(concern, Concern::Answers | Concern::Connections);
        self.fault.as_ref().filter(|fault| fault.concern() == concern && !(counted && self.left == Some(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_happens_as_often_as_planned() {
        let faults = Faults::default();
        assert_eq!(faults.take(Concern::Answers), None);
        faults.plan(Some(Fault::Close), Some(2));
        assert_eq!(faults.take(Concern::Connections), None);
        assert!(faults.take(Concern::Answers).is_some());
        let last = faults.take(Concern::Answers).expect("two times");
        assert_eq!(last.fault, Fault::Close);
        assert_eq!(faults.take(Concern::Answers), None);

        faults.give_back(&last);
        assert!(faults.is(Concern::Answers));
        assert!(faults.take(Concern::Answers).is_some());
        assert!(!faults.is(Concern::Answers));
    }

    #[test]
    fn without_a_number_it_happens_until_the_next_plan() {
        let faults = Faults::default();
        faults.plan(Some(Fault::Refuse), None);
        let taken: Vec<Taken> = (0..100).map_while(|_| faults.take(Concern::Connections)).collect();
        assert_eq!(taken.len(), 100);
        faults.plan(None, None);
        assert_eq!(faults.take(Concern::Connections), None);

        // What belongs to an earlier plan does not add to this one.
        faults.plan(Some(Fault::Refuse), Some(0));
        faults.give_back(&taken[0]);
        assert_eq!(faults.take(Concern::Connections), None);
    }

    #[test]
    fn what_can_not_be_counted_goes_on() {
        let faults = Faults::default();
        faults.plan(Some(Fault::StopReading), Some(0));
        assert!(faults.is(Concern::Reading));
        faults.wait_to_read(|| true);
        faults.plan(None, None);
        faults.wait_to_read(|| false);
    }

    #[test]
    fn waiting_ends_with_the_connection() {
        let faults = Faults::default();
        let started = std::time::Instant::now();
        faults.wait(Duration::from_secs(3600), || true);
        faults.wait(Duration::ZERO, || false);
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}
