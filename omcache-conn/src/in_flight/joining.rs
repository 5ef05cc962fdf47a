//! Requests that join a FIFO together.

use super::Entry;

/// Requests that join a FIFO one after the other, as far as it has memory at hand. Where it ends by a panic none of them has.
pub(crate) struct Joining<'f> {
    entries: &'f mut Vec<Entry>,
    /// The length that stays.
    kept: usize,
    /// The most quiet ones in a row, and how many may follow now.
    longest: usize,
    left: usize,
    loud: usize,
}

impl<'f> Joining<'f> {
    #[inline(always)]
    pub(super) fn new(entries: &'f mut Vec<Entry>, longest: usize, left: usize) -> Self {
        Self { kept: entries.len(), entries, longest, left, loud: 0 }
    }

    /// Adds one; false where there is no room for it.
    #[inline(always)]
    pub(crate) fn push(&mut self, entry: Entry) -> bool {
        if (entry.is_quiet() && self.left == 0) || self.entries.len() == self.entries.capacity() {
            return false;
        }
        self.entries.push(entry);
        if entry.is_quiet() {
            self.left -= 1;
        } else {
            (self.loud, self.left) = (self.loud + 1, self.longest);
        }
        true
    }

    /// Ends it: how many get a response in any case is returned.
    #[inline(always)]
    pub(crate) fn end(mut self) -> usize {
        self.kept = usize::MAX;
        self.loud
    }
}

impl Drop for Joining<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.entries.truncate(self.kept);
    }
}
