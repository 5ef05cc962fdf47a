//! Why a request was refused, and why a connection failed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use omcache_proto::binary::{Opcode, Status};
use omcache_proto::{DecodeError, EncodeError};

/// A request that was refused: nothing of it was queued or sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// There is no server, or every one is disabled.
    #[error("no server is available ({total} in the list)")]
    NoServers {
        /// Servers in the list.
        total: usize,
    },
    /// The server that was named by its index is disabled.
    #[error("server {server} is disabled")]
    ServerDisabled {
        /// Its index.
        server: usize,
    },
    /// No server has that index.
    #[error("there is no server {server}: the list has {total}")]
    UnknownServer {
        /// The index that was asked for.
        server: usize,
        /// Servers in the list.
        total: usize,
    },
    /// The request was to be placed by its key, and has none.
    #[error("the request has no key to choose a server by")]
    NoKey,
    /// What waits to be sent and the request together would pass the limit.
    #[error(
        "a request of {needed} bytes does not fit: {queued} of at most {limit} bytes wait for server {server}"
    )]
    SendBufferFull {
        /// The server's index.
        server: usize,
        /// The request's length.
        needed: usize,
        /// Bytes that wait already.
        queued: usize,
        /// The limit, [`Config::send_limit`](crate::Config::send_limit).
        limit: usize,
    },
    /// A field is longer than the protocol can say.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Why a connection failed, or a handshake did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The name could not be looked up.
    #[error("name look-up failed: {message}")]
    Lookup {
        /// What the resolver said.
        message: Arc<str>,
    },
    /// The operating system refused a connect, a send or a receive.
    #[error("{operation} failed: {}", describe(*kind, *code))]
    Io {
        /// What was tried: `connect`, `send` or `receive`.
        operation: &'static str,
        /// The kind of error.
        kind: io::ErrorKind,
        /// The operating system's number for it, if it gave one.
        code: Option<i32>,
    },
    /// The handshake was not complete in time.
    #[error("handshake not complete in time, of {} ms at most", limit.as_millis())]
    ConnectTimeout {
        /// [`Config::connect_timeout`](crate::Config::connect_timeout): where a name has several addresses, each has its
        /// share of it.
        limit: Duration,
    },
    /// The server owed an answer and made no progress for too long.
    #[error("no answer for {} ms", limit.as_millis())]
    DeadTimeout {
        /// [`Config::dead_timeout`](crate::Config::dead_timeout).
        limit: Duration,
    },
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] ProtocolError),
    /// Another request's response was larger than may be received, by so much that it was not worth reading to its end.
    #[error("a response of {len} bytes, where at most {limit} may be received")]
    ResponseTooLarge {
        /// The response's length, in bytes.
        len: usize,
        /// The limit, [`Config::receive_limit`](crate::Config::receive_limit).
        limit: usize,
    },
    /// The server was taken off the list.
    #[error("the server was taken off the list")]
    Removed,
    /// The caller closed the connection, or the process forked.
    #[error("the connection was closed by its own program")]
    Disconnected,
    /// The caller discarded what waited to be sent.
    #[error("discarded before it was sent")]
    Discarded,
    /// No other server could take the request over.
    #[error("no server is available")]
    NoServers,
    /// The next server's send buffer had no room.
    #[error("the send buffer of the next server is full")]
    SendBufferFull,
}

impl Failure {
    /// What the operating system said of a connect, send or receive.
    #[must_use]
    pub fn io(operation: &'static str, error: &io::Error) -> Self {
        Self::Io { operation, kind: error.kind(), code: error.raw_os_error() }
    }
}

fn describe(kind: io::ErrorKind, code: Option<i32>) -> String {
    code.map_or_else(|| kind.to_string(), |code| io::Error::from_raw_os_error(code).to_string())
}

/// What a server sent that the protocol does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Bytes that are no response.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A response to nothing that was asked.
    #[error("response {opaque} ({opcode:?}) fits no request")]
    Unexpected {
        /// Its opaque.
        opaque: u32,
        /// Its opcode.
        opcode: Opcode,
    },
    /// A response whose opcode is not its request's.
    #[error("request {opaque} was {asked:?}, its response is {answered:?}")]
    OpcodeMismatch {
        /// The opaque of both.
        opaque: u32,
        /// The request's opcode.
        asked: Opcode,
        /// The response's opcode.
        answered: Opcode,
    },
    /// The NOOP of the handshake was answered with an error.
    #[error("the first NOOP was answered with {status:?}")]
    Probe {
        /// The response's status.
        status: Status,
    },
}
