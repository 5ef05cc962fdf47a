//! The calls at work, each from within a callback of the one before it, and what is kept for them meanwhile.

use std::ffi::CString;

use crate::failure::Telling;
use crate::handle::Handle;

/// A call at work.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Where its outermost frame lies on the stack, which grows downwards.
    address: usize,
    /// The log line that its callback is looking at.
    pub(crate) line: Option<CString>,
    /// What is kept for it while a callback of it calls; set by the first such call.
    kept: Option<Mark>,
    /// What the call that it is nested in has told of failures.
    pub(crate) outer: Telling,
}

/// Where that ends which is kept for the calls at work.
#[derive(Clone, Copy, Debug)]
struct Mark {
    received: usize,
    delivered: usize,
}

impl Frame {
    pub(crate) fn at(address: usize) -> Self {
        Self { address, line: None, kept: None, outer: Telling::default() }
    }
}

impl Handle {
    /// Registers a call and returns how many it is nested in. What an earlier call returned is let go of where `releases` is
    /// set, but for what calls keep that are still at work.
    pub(crate) fn enter(&mut self, address: usize, releases: bool) -> usize {
        // One at or below this address has been left by longjmp.
        while self.frames.pop_if(|frame| frame.address <= address).is_some() {}
        let depth = self.frames.len();
        match depth {
            0 if releases => self.release(),
            0 => {}
            _ => self.release_nested(releases),
        }
        self.frames.push(Frame { outer: self.failure.telling, ..Frame::at(address) });
        depth
    }

    /// Lets go of what the last call from the same callback returned. One that was left by longjmp is taken for one at work
    /// as long as calls come from further down the stack, so they must not leave anything behind.
    #[cold]
    fn release_nested(&mut self, releases: bool) {
        let Some(frame) = self.frames.last_mut() else { return };
        match frame.kept {
            Some(_) if !releases => {}
            Some(kept) => {
                self.driver.cluster.release_received_after(kept.received);
                self.delivered.truncate(kept.delivered);
            }
            None => {
                let received = self.driver.cluster.mark_received();
                frame.kept = Some(Mark { received, delivered: self.delivered.len() });
            }
        }
    }

    /// Goes on with a registered call, after its callback where it called one.
    pub(crate) fn resume(&mut self, address: usize) {
        // What the callback called and left by longjmp is not at work any more.
        while self.frames.pop_if(|frame| frame.address < address).is_some() {}
        match self.frames.last_mut() {
            Some(frame) if frame.address == address => (frame.line, frame.kept) = (None, None),
            _ => self.frames.push(Frame::at(address)),
        }
        // The callback may have forked, and this may be the child.
        self.driver.check_fork();
    }

    pub(crate) fn leave(&mut self, address: usize) {
        if let Some(at) = self.frames.iter().rposition(|frame| frame.address == address) {
            let frame = self.frames.remove(at);
            self.go_on_telling(frame.outer, at > 0);
        }
    }

    /// Lets go of what was received since the call began: only callbacks were shown it.
    pub(crate) fn release_shown(&mut self) {
        match self.frames.as_slice() {
            [.., outer, _] => {
                if let Some(kept) = outer.kept
                    && self.delivered.len() == kept.delivered
                {
                    self.driver.cluster.release_received_after(kept.received);
                }
            }
            _ if self.delivered.is_empty() => self.driver.cluster.release_received(),
            _ => {}
        }
    }
}
