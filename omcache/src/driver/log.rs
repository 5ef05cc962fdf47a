//! Log lines about servers: to the `log` facade, or to a queue for fronts with a log callback of their own.

use std::fmt;

use omcache_conn::{Failure, ServerChange, ServerEvent};

/// How important a log line is; syslog's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing can be reached, or something is wrong in the program.
    Error,
    /// A look-up failed, a request was refused for a full buffer.
    Warning,
    /// A server was disabled or enabled, a connection was lost.
    Notice,
    /// A connection was made.
    Info,
    /// Each message.
    Debug,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How important it is.
    pub level: Level,
    /// What it says.
    pub text: String,
}

/// Where log lines go.
#[derive(Debug, Default)]
pub(crate) struct Logger {
    /// Set while a front takes the lines itself.
    queue: Option<Level>,
    lines: Vec<LogLine>,
}

impl Logger {
    pub(super) fn queue(&mut self, level: Option<Level>) {
        self.queue = level;
        if level.is_none() {
            self.lines = Vec::new();
        }
    }

    pub(super) fn take(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.lines)
    }

    #[inline]
    pub(crate) fn enabled(&self, level: Level) -> bool {
        match self.queue {
            Some(most) => level <= most,
            None => facade(level) <= log::max_level(),
        }
    }

    pub(crate) fn log(&mut self, level: Level, text: fmt::Arguments<'_>) {
        if !self.enabled(level) {
            return;
        }
        match self.queue {
            Some(_) => self.lines.push(LogLine { level, text: text.to_string() }),
            None => log::log!(target: "omcache", facade(level), "{text}"),
        }
    }

    pub(crate) fn change(&mut self, event: &ServerEvent) {
        let name = &event.name;
        match &event.change {
            ServerChange::Connected => self.log(Level::Info, format_args!("[{name}]: connected")),
            ServerChange::Enabled => self.log(Level::Notice, format_args!("[{name}]: enabled")),
            ServerChange::Lost { failure } => {
                self.log(Level::Notice, format_args!("[{name}]: connection reset: {failure}"));
            }
            ServerChange::AddressFailed { address, failure } => {
                let text = format_args!("[{name}]: {address}: {failure}; trying the next address");
                self.log(Level::Info, text);
            }
            ServerChange::Disabled { failure, retry_in } => {
                let look_up = matches!(failure, Failure::Lookup { .. });
                let level = if look_up { Level::Warning } else { Level::Notice };
                let retry = retry_in.as_millis();
                self.log(level, format_args!("[{name}]: disabled: {failure}; retrying in {retry} ms"));
            }
            ServerChange::Retrying => self.log(Level::Notice, format_args!("[{name}]: trying again")),
            other => self.log(Level::Notice, format_args!("[{name}]: {other:?}")),
        }
    }
}

const fn facade(level: Level) -> log::Level {
    match level {
        Level::Error => log::Level::Error,
        Level::Warning => log::Level::Warn,
        Level::Notice => log::Level::Info,
        Level::Info => log::Level::Debug,
        Level::Debug => log::Level::Trace,
    }
}
