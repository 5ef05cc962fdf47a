//! Log lines: which are wanted, what they look like, and their way to the program.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::io::Write;
use std::time::Instant;

use omcache::driver::Level;
use omcache::driver::proto::binary::Opcode;

use crate::handle::{Handle, Turn};
use crate::ret;
use crate::types::{omcache_log_callback_func, omcache_t};

/// What the program wants to be told.
#[derive(Debug)]
pub(crate) struct LogSettings {
    callback: Option<(omcache_log_callback_func, *mut c_void)>,
    level: Level,
    since: Instant,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { callback: None, level: Level::Info, since: Instant::now() }
    }
}

impl LogSettings {
    #[inline]
    pub(crate) fn wants(&self, level: Level) -> bool {
        self.callback.is_some() && level <= self.level
    }
}

const fn number(level: Level) -> c_int {
    match level {
        Level::Error => libc::LOG_ERR,
        Level::Warning => libc::LOG_WARNING,
        Level::Notice => libc::LOG_NOTICE,
        Level::Info => libc::LOG_INFO,
        Level::Debug => libc::LOG_DEBUG,
    }
}

impl Handle {
    /// Queues a line.
    pub(crate) fn log_line(&mut self, level: Level, text: fmt::Arguments<'_>) {
        let msec = self.log.since.elapsed().as_millis();
        let line = format!("[{}.{:03}] omcache/{text}", msec / 1000, msec % 1000);
        // A NUL in a line would cut it; servers' names hold none.
        let line = CString::new(line.replace('\0', " ")).unwrap_or_default();
        self.lines.push_back((number(level), line));
    }

    #[cold]
    pub(crate) fn log_message(&mut self, what: &str, server: usize, opcode: Opcode, opaque: u32) {
        let Some(address) = self.driver.cluster.server(server) else { return };
        let (host, port) = (address.host().to_owned(), address.port().to_owned());
        self.log_line(Level::Debug, format_args!("[{host}:{port}]: {what} {opcode:?} {opaque}"));
    }

    /// Takes over the lines of the driver.
    pub(crate) fn take_driver_lines(&mut self) {
        for line in self.driver.log_lines() {
            self.log_line(line.level, format_args!("{}", line.text));
        }
    }

    /// The next line to be delivered.
    #[inline]
    pub(crate) fn next_line(&mut self) -> Option<Turn> {
        if self.lines.is_empty() {
            return None;
        }
        self.deliver_line()
    }

    #[cold]
    fn deliver_line(&mut self) -> Option<Turn> {
        let (func, context) = self.log.callback?;
        // A call from within the callback has a frame, and lines, of its own.
        let frame = self.frames.last_mut()?;
        let (level, line) = self.lines.pop_front()?;
        let text = frame.line.insert(line).as_ptr();
        Some(Turn::Log { func, context, level, text })
    }
}

/// Sets the function that receives log lines of `level` (of `<sys/syslog.h>`) and above; 0 means up to INFO. NULL ends
/// it.
///
/// # Safety
/// `mc` is NULL or a live handle; `func` may be called with `context` as long as it is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_set_log_callback(
    mc: *mut omcache_t,
    level: c_int,
    func: Option<omcache_log_callback_func>,
    context: *mut c_void,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        crate::settings::with_lines(mc, |handle| {
            handle.log.callback = func.map(|func| (func, context));
            handle.log.level = match level {
                ..=0 => Level::Info,
                1..=libc::LOG_ERR => Level::Error,
                libc::LOG_WARNING => Level::Warning,
                libc::LOG_NOTICE => Level::Notice,
                libc::LOG_INFO => Level::Info,
                _ => Level::Debug,
            };
            let level = handle.log.level;
            handle.driver.queue_log(func.map(|_| level));
            if func.is_none() {
                handle.lines.clear();
            }
            ret::OK
        })
    }
}

/// A log callback that writes `<prefix>LEVEL text` to standard error; `context` is the prefix, or NULL.
///
/// # Safety
/// `context` is NULL or a string, `msg` is NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omcache_log_stderr(context: *mut c_void, level: c_int, msg: *const c_char) {
    let text = |text: *const c_char| {
        // SAFETY: not NULL, and a string as the caller promises.
        if text.is_null() { &[] } else { unsafe { CStr::from_ptr(text) }.to_bytes() }
    };
    let name: &[u8] = match level {
        libc::LOG_ERR => b"ERROR",
        libc::LOG_WARNING => b"WARNING",
        libc::LOG_NOTICE => b"NOTICE",
        libc::LOG_INFO => b"INFO",
        libc::LOG_DEBUG => b"DEBUG",
        _ => b"?",
    };
    let line = [text(context.cast()), name, b" ", text(msg), b"\n"].concat();
    // There is nowhere to tell that standard error is closed.
    let _ = std::io::stderr().write_all(&line);
}
