//! The table at the end: each step, what it came to, and how long it took.

use std::time::Duration;

use super::screen::{Screen, time};

/// The steps so far.
#[derive(Default)]
pub(super) struct Results {
    rows: Vec<Vec<String>>,
    total: Duration,
}

impl Results {
    /// The number of the next step.
    pub(super) fn next_number(&self) -> usize {
        self.rows.len() + 1
    }

    /// Adds a step.
    pub(super) fn add(&mut self, step: impl Into<String>, result: impl Into<String>, took: Duration) {
        let number = self.next_number();
        self.total += took;
        self.rows.push(vec![format!("{number}. {}", step.into()), result.into(), time(took)]);
    }

    /// Shows the table.
    pub(super) fn show(self, screen: &Screen) {
        let mut rows = self.rows;
        rows.push(vec!["all".to_owned(), String::new(), time(self.total)]);
        screen.table(&["step", "result", "time"], rows, &[2]);
    }
}
