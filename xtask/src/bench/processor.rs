//! One processor for client and servers alike, where counts repeat.

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// What a measured client is started by: it runs where no server has anything to do, so that all answers are there when it
/// looks for them. Else the number of its waits would come by chance, and with it their cost.
pub(super) const LAST: [&str; 3] = ["chrt", "--idle", "0"];

/// While it lives, what is started runs on one processor.
pub(crate) struct OneProcessor {
    before: CpuSet,
}

impl OneProcessor {
    /// Binds this thread, and so what it starts, to the first processor that it may use.
    pub(crate) fn begin() -> Result<Self> {
        let before = sched_getaffinity(None).context("asking for the processors")?;
        let first =
            (0..CpuSet::MAX_CPU).find(|&processor| before.is_set(processor)).context("no processor")?;
        let mut one = CpuSet::new();
        one.set(first);
        sched_setaffinity(None, &one).context("binding to one processor")?;
        Ok(Self { before })
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        if let Err(error) = sched_setaffinity(None, &self.before) {
            eprintln!("what follows stays on one processor: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_bound_and_let_go() {
        let count = || sched_getaffinity(None).unwrap().count();
        let before = count();
        let one = OneProcessor::begin().unwrap();
        assert_eq!(count(), 1);
        drop(one);
        assert_eq!(count(), before);
    }
}
