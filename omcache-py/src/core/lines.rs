//! What the program's log is told.

use std::sync::atomic::Ordering;

use omcache::driver::proto::binary::Opcode;
use omcache::driver::{Level, LogLine};

use super::Core;
use crate::answer::Answer;
use crate::ret::Ret;

impl Core {
    /// Lines up to this level are kept for the program's log.
    pub(crate) fn log_up_to(&mut self, level: Option<Level>) {
        self.log_level = level;
        self.driver.queue_log(level);
        if level.is_none() {
            self.lines = Vec::new();
        }
    }

    /// The lines since the last call.
    #[inline]
    pub(crate) fn take_lines(&mut self) -> Vec<LogLine> {
        self.has_lines.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.lines)
    }

    /// Keeps a line, if it is wanted.
    #[cold]
    pub(super) fn log(&mut self, level: Level, text: impl FnOnce() -> String) {
        if self.log_level.is_some_and(|most| level <= most) {
            let line = LogLine { level, text: text() };
            // A batch that fails says so once.
            if self.lines.last() != Some(&line) {
                self.lines.push(line);
                self.has_lines.store(true, Ordering::Relaxed);
            }
        }
    }

    #[cold]
    pub(super) fn log_message(&mut self, what: &str, server: usize, opcode: Opcode, opaque: u32) {
        let name = self.server_name(Some(server)).unwrap_or_default();
        self.log(Level::Debug, || format!("[{name}]: {what} {opcode:?} {opaque}"));
    }

    /// Logs a failure that a call is about to tell.
    pub(crate) fn note(&mut self, answer: &Answer) {
        let Some(failure) = answer.failure() else { return };
        let level = match answer.ret {
            Ret::NO_SERVERS => Level::Error,
            Ret::BUFFER_FULL => Level::Warning,
            _ => Level::Debug,
        };
        let ret = answer.ret.text();
        self.log(level, || format!("{ret}: {failure}"));
    }

    #[cold]
    pub(super) fn server_name(&self, server: Option<usize>) -> Option<String> {
        let server = self.driver.cluster.server(server?)?;
        Some(format!("{}:{}", server.host(), server.port()))
    }

    /// Takes over the lines of the driver.
    pub(super) fn take_driver_lines(&mut self) {
        for line in self.driver.log_lines() {
            self.lines.push(line);
            self.has_lines.store(true, Ordering::Relaxed);
        }
    }
}
