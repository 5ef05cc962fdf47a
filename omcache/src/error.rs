//! Why an operation failed, in a form that may grow.

use std::error::Error as StdError;
use std::fmt;

use omcache_conn::{Failure, Outcome, SubmitError};
use omcache_proto::binary::Status;

/// What kind of failure an [`Error`] is. Misses and lost races (a key that exists, a CAS that differs) are no errors:
/// they are results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is not valid: a key that is empty or longer than 250 bytes, a server that can't be read. Nothing was
    /// sent.
    InvalidInput,
    /// No server takes the key: there is none, or all are disabled. Nothing was sent.
    NoServers,
    /// The connection failed before the request was sent. It is safe to repeat it.
    NotSent,
    /// The request was sent and the connection failed before the answer: it may have been carried out.
    Unknown,
    /// The time was over before the answer; [`Error::was_sent`] tells whether the request may be carried out.
    Timeout,
    /// More waits to be sent to the server than the send limit allows. Nothing was sent.
    SendBufferFull,
    /// The answer is larger than the receive limit.
    ResponseTooLarge,
    /// The value is larger than the server stores.
    ValueTooLarge,
    /// The value at the key is no decimal number, so it can't be incremented or decremented.
    NonNumeric,
    /// The server refused the command for another reason; [`Error::status`] has its code.
    Refused,
    /// The operating system refused to wait, for want of memory.
    System,
}

/// An operation that failed.
///
/// ```
/// use omcache::{Client, ErrorKind};
///
/// let mut client = Client::builder().build()?;
/// let error = client.get("key").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NoServers);
/// assert!(!error.was_sent());
/// # Ok::<(), omcache::Error>(())
/// ```
pub struct Error(Repr);

enum Repr {
    /// Without an allocation: most entries of a batch begin as this.
    Plain {
        kind: ErrorKind,
        sent: bool,
    },
    Full(Box<Full>),
}

#[derive(Debug)]
struct Full {
    kind: ErrorKind,
    sent: bool,
    server: Option<String>,
    status: Option<u16>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) const fn timeout(sent: bool) -> Self {
        Self(Repr::Plain { kind: ErrorKind::Timeout, sent })
    }

    pub(crate) fn new(kind: ErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = Some(source.into());
        Self(Repr::Full(Box::new(Full { kind, sent: false, server: None, status: None, source })))
    }

    pub(crate) fn invalid(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorKind::InvalidInput, source)
    }

    pub(crate) fn refused(status: Status) -> Self {
        let kind = match status {
            Status::VALUE_TOO_LARGE => ErrorKind::ValueTooLarge,
            Status::NON_NUMERIC => ErrorKind::NonNumeric,
            _ => ErrorKind::Refused,
        };
        Self(Repr::Full(Box::new(Full {
            kind,
            sent: true,
            server: None,
            status: Some(status.0),
            source: None,
        })))
    }

    /// From how a request ended; `None` for silence, which is no failure.
    pub(crate) fn from_outcome(outcome: Outcome) -> Option<Self> {
        let (kind, sent, source): (_, _, Box<dyn StdError + Send + Sync>) = match outcome {
            Outcome::Silent => return None,
            Outcome::NotSent(Failure::NoServers) => (ErrorKind::NoServers, false, Failure::NoServers.into()),
            Outcome::NotSent(failure) => (ErrorKind::NotSent, false, failure.into()),
            Outcome::Unknown(failure) => (ErrorKind::Unknown, true, failure.into()),
            Outcome::ResponseTooLarge { len, limit, .. } => {
                let text = format!("the response has {len} bytes, the limit is {limit}");
                (ErrorKind::ResponseTooLarge, true, text.into())
            }
            other => (ErrorKind::Refused, true, format!("{other:?}").into()),
        };
        Some(Self(Repr::Full(Box::new(Full {
            kind,
            sent,
            server: None,
            status: None,
            source: Some(source),
        }))))
    }

    pub(crate) fn with_server(self, server: String) -> Self {
        let full = match self.0 {
            Repr::Plain { kind, sent } => Full { kind, sent, server: None, status: None, source: None },
            Repr::Full(full) => *full,
        };
        Self(Repr::Full(Box::new(Full { server: Some(server), ..full })))
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Repr::Plain { kind, .. } => *kind,
            Repr::Full(full) => full.kind,
        }
    }

    /// Whether the request was sent, at least in part, so that it may have been carried out.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        match &self.0 {
            Repr::Plain { sent, .. } => *sent,
            Repr::Full(full) => full.sent,
        }
    }

    /// The server that the request was for, where one was chosen.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        match &self.0 {
            Repr::Plain { .. } => None,
            Repr::Full(full) => full.server.as_deref(),
        }
    }

    /// The status code of the server's answer, where it refused the command (binary protocol, "Response Status").
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.0 {
            Repr::Plain { .. } => None,
            Repr::Full(full) => full.status,
        }
    }
}

impl From<SubmitError> for Error {
    fn from(error: SubmitError) -> Self {
        let kind = match &error {
            SubmitError::NoServers { .. } | SubmitError::ServerDisabled { .. } => ErrorKind::NoServers,
            SubmitError::SendBufferFull { .. } => ErrorKind::SendBufferFull,
            _ => ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = self.server() {
            write!(f, "{server}: ")?;
        }
        f.write_str(match self.kind() {
            ErrorKind::InvalidInput => "invalid argument",
            ErrorKind::NoServers => "no server is available",
            ErrorKind::NotSent => "failed before the request was sent",
            ErrorKind::Unknown => "failed after the request was sent, its outcome is unknown",
            ErrorKind::Timeout if self.was_sent() => "no answer in time, the request was sent",
            ErrorKind::Timeout => "no answer in time, the request was not sent",
            ErrorKind::SendBufferFull => "the send buffer is full",
            ErrorKind::ResponseTooLarge => "the response is too large",
            ErrorKind::ValueTooLarge => "the value is larger than the server stores",
            ErrorKind::NonNumeric => "the stored value is no number",
            ErrorKind::Refused => "the server refused the command",
            ErrorKind::System => "the operating system refused",
        })?;
        if let (ErrorKind::Refused, Some(status)) = (self.kind(), self.status()) {
            write!(f, " (status {status:#04x}: {})", Status(status).message().unwrap_or("unknown"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Plain { kind, sent } => {
                f.debug_struct("Error").field("kind", kind).field("was_sent", sent).finish()
            }
            Repr::Full(full) => full.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0 {
            Repr::Plain { .. } => None,
            Repr::Full(full) => full.source.as_deref().map(|source| source as _),
        }
    }
}
