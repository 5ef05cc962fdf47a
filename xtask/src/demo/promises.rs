//! What was promised and whether it held: each is shown where it is checked, and counted for the verdict.

/// The promises so far.
#[derive(Default)]
pub(super) struct Promises {
    kept: usize,
    broken: Vec<String>,
}

impl Promises {
    /// Shows a promise, with the figure it is judged by, and whether it held.
    pub(super) fn check(&mut self, held: bool, promise: impl Into<String>) {
        let promise = promise.into();
        println!("  {}  {promise}", if held { "ok    " } else { "FAILED" });
        if held {
            self.kept += 1;
        } else {
            self.broken.push(promise);
        }
    }

    /// How many held.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// Those that did not.
    pub(super) fn broken(&self) -> &[String] {
        &self.broken
    }
}
