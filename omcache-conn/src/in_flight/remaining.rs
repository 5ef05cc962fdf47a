//! What stays under way where answers are taken out together.

use super::Entry;

/// What is counted of a FIFO, while somebody looks at its entries.
pub(crate) struct Remaining<'f> {
    pub(super) head: &'f mut usize,
    pub(super) bytes: &'f mut usize,
    pub(super) loud: &'f mut usize,
}

impl Remaining<'_> {
    /// Takes those of `all` as answered that are not left; whether any that are left get a response in any case.
    pub(crate) fn take_out(self, all: &[Entry], left: &[Entry]) -> bool {
        let count = all.len() - left.len();
        *self.head += count;
        // The fewer are counted.
        if left.len() < count {
            (*self.bytes, *self.loud) = sums(left);
        } else {
            let (bytes, loud) = sums(all.get(..count).unwrap_or_default());
            (*self.bytes, *self.loud) = (*self.bytes - bytes, *self.loud - loud);
        }
        *self.loud > 0
    }
}

/// The bytes of these, and how many of them get a response in any case.
pub(super) fn sums(entries: &[Entry]) -> (usize, usize) {
    let bytes = entries.iter().map(|entry| entry.len as usize).sum();
    (bytes, entries.iter().filter(|entry| !entry.is_quiet()).count())
}
