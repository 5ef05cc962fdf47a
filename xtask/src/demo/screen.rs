//! What the demonstration looks like: headings, tables, bars, progress. Without a terminal it is plain text.

use std::io::IsTerminal as _;
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where everything is shown: the standard output.
pub(super) struct Screen {
    terminal: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal() }
    }

    /// Begins a part.
    pub(super) fn heading(&self, text: &str) {
        println!("\n{text}\n{}", "-".repeat(text.chars().count()));
    }

    /// Shows a table. Columns whose number is in `right` are aligned to the right.
    pub(super) fn table(
        &self,
        header: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
        right: &[usize],
    ) {
        let mut table = Table::new();
        table.load_style(if self.terminal {
            presets::UTF8_FULL_CONDENSED
        } else {
            presets::ASCII_FULL_CONDENSED
        });
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.iter().copied()).add_rows(rows);
        for &column in right {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        println!("{table}");
    }

    /// A bar as long as `part` is of `whole`, where `whole` would have `width` characters.
    pub(super) fn bar(&self, part: usize, whole: usize, width: usize) -> String {
        let len = (part * width + whole / 2).checked_div(whole).unwrap_or(0);
        (if self.terminal { "█" } else { "#" }).repeat(len)
    }

    /// A bar that grows to `len`; without a terminal there is none.
    pub(super) fn progress(&self, len: usize, what: &str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(len as u64), self.target());
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:40}] {human_pos} of {human_len}") {
            bar.set_style(style.progress_chars("█▌ "));
        }
        bar.set_message(what.to_owned());
        bar
    }

    /// A line that shows that something goes on; without a terminal there is none. It goes away with its end.
    pub(super) fn busy(&self, what: &str) -> Busy {
        let bar = ProgressBar::with_draw_target(None, self.target());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Busy(bar)
    }

    fn target(&self) -> ProgressDrawTarget {
        if self.terminal { ProgressDrawTarget::stdout() } else { ProgressDrawTarget::hidden() }
    }
}

/// See [`Screen::busy`].
pub(super) struct Busy(ProgressBar);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A number with separators: `10,000`.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in the unit that suits it: `0.42 ms`, `17.3 ms`, `1.52 s`.
pub(super) fn time(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    match milliseconds {
        ..10.0 => format!("{milliseconds:.2} ms"),
        ..1e3 => format!("{milliseconds:.1} ms"),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// A time that was set and not measured, as short as it can be told: `0.5 s`.
pub(super) fn setting(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

/// A part of a whole: `33.5 %`.
pub(super) fn share(part: usize, whole: usize) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_made_readable() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(time(Duration::from_micros(420)), "0.42 ms");
        assert_eq!(time(Duration::from_micros(17_310)), "17.3 ms");
        assert_eq!(time(Duration::from_millis(1_520)), "1.52 s");
        assert_eq!(
            [500, 1_000, 1_750].map(|time| setting(Duration::from_millis(time))),
            ["0.5 s", "1 s", "1.75 s"]
        );
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(0, 0), "0.0 %");
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        let screen = Screen { terminal: false };
        assert_eq!(screen.bar(5, 10, 20), "#".repeat(10));
        assert_eq!(screen.bar(10, 10, 20), "#".repeat(20));
        assert_eq!(screen.bar(0, 10, 20), "");
        assert_eq!(screen.bar(1, 0, 20), "");
    }
}
