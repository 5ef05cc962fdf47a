//! What a cluster tells its driver: answers, outcomes, changes of a server, and things to do.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use omcache_proto::binary::{Opcode, ResponseHeader, ResponsePacket, Status};

use crate::buffer::Incoming;
use crate::connection::ConnectionId;
use crate::error::Failure;
use crate::server::Address;

/// Names one look-up. Its result is given back with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LookupId(pub(crate) u64);

/// Something that only the driver can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Look the name up without blocking, then call [`Cluster::handle_resolved`](crate::Cluster::handle_resolved).
    Resolve {
        /// To be given back with the result.
        lookup: LookupId,
        /// The host name or address.
        host: String,
        /// The port number or service name.
        port: String,
    },
    /// Open a socket and start to connect it; report [`Cluster::handle_connected`](crate::Cluster::handle_connected)
    /// or [`Cluster::handle_lost`](crate::Cluster::handle_lost).
    Connect {
        /// The connection to be made.
        connection: ConnectionId,
        /// Where to.
        address: Address,
    },
    /// Close the connection's socket, if it has one. Nothing is to be reported.
    Close {
        /// The connection to be closed.
        connection: ConnectionId,
    },
}

/// What became of a request, or of a server.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'c> {
    /// The server answered a request.
    Response(Response<'c>),
    /// A request ended without an answer to look at.
    Settled(Settled),
    /// A server's state changed.
    Server(ServerEvent),
}

/// A change in the state of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerEvent {
    /// The server's index.
    pub server: usize,
    /// Its name for log lines, `host:port`.
    pub name: String,
    /// What changed.
    pub change: ServerChange,
}

/// A request that ended without an answer to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// The request.
    pub opaque: u32,
    /// What it asked for.
    pub opcode: Opcode,
    /// The server it was meant for last, by its index; none where that server was taken off the list.
    pub server: Option<usize>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a request ended that got no answer to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A quiet request that the server had nothing to say about: a miss for the get family, success for all others.
    Silent,
    /// It failed and was never sent.
    NotSent(Failure),
    /// It was sent, at least in part, and the connection failed before the answer: it may have been carried out.
    Unknown(Failure),
    /// It was answered, but the response is larger than may be received.
    ResponseTooLarge {
        /// The response's status.
        status: Status,
        /// The response's length, in bytes.
        len: usize,
        /// The limit, [`Config::receive_limit`](crate::Config::receive_limit).
        limit: usize,
    },
}

/// A change in a server's state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerChange {
    /// The handshake is complete: it takes keys.
    Connected,
    /// The handshake of a server that was disabled is complete: it takes keys again.
    Enabled,
    /// A standing connection was lost. It still takes keys, and is connected anew at need.
    Lost {
        /// Why.
        failure: Failure,
    },
    /// One of several addresses failed; the next one is tried.
    AddressFailed {
        /// The address.
        address: Address,
        /// Why.
        failure: Failure,
    },
    /// It failed its handshake. Its keys go to other servers until it answers again.
    Disabled {
        /// Why.
        failure: Failure,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// The time is over for which it was left alone: it is tried in the background.
    Retrying,
}

/// A server's answer to a request.
///
/// It borrows from the connection's buffer; [`Response::into_value`] takes the value out without copying it.
pub struct Response<'c> {
    pub(crate) server: usize,
    pub(crate) header: ResponseHeader,
    pub(crate) start: usize,
    pub(crate) incoming: &'c mut Incoming,
}

impl Response<'_> {
    /// The server that answered, by its index.
    #[must_use]
    pub fn server(&self) -> usize {
        self.server
    }

    /// The request that is answered.
    #[inline]
    #[must_use]
    pub fn opaque(&self) -> u32 {
        self.header.opaque
    }

    /// The response's header.
    #[inline]
    #[must_use]
    pub fn header(&self) -> &ResponseHeader {
        &self.header
    }

    /// The value, borrowed.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &[u8] {
        let skipped = usize::from(self.header.extras_len) + usize::from(self.header.key_len);
        let body = self.start + omcache_proto::binary::HEADER_LEN;
        self.incoming.slice(body + skipped, self.start + self.header.packet_len())
    }

    /// The whole response, borrowed.
    #[inline(always)]
    #[must_use]
    pub fn packet(&self) -> ResponsePacket<'_> {
        let header = &self.header;
        let body = self.start + omcache_proto::binary::HEADER_LEN;
        let key = body + usize::from(header.extras_len);
        let value = key + usize::from(header.key_len);
        ResponsePacket {
            opcode: header.opcode,
            status: header.status,
            cas: header.cas,
            opaque: header.opaque,
            extras: self.incoming.slice(body, key),
            key: self.incoming.slice(key, value),
            value: self.incoming.slice(value, self.start + header.packet_len()),
        }
    }

    /// The value, without copying: it keeps the receive chunk it lies in (64 KiB, or up to twice the value's own length
    /// where that is more) alive as long as it lives.
    #[inline]
    #[must_use]
    pub fn into_value(self) -> Bytes {
        let len = self.header.value_len();
        if len == 0 {
            return Bytes::new();
        }
        self.incoming.take_before_position(len)
    }
}

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("server", &self.server).field("packet", &self.packet()).finish()
    }
}
