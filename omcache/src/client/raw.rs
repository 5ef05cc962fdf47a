//! Requests as the protocol carries them, for opcodes that the client has no command for.

use bytes::Bytes;
use omcache_conn::Target;
use omcache_proto::binary::{Opcode, RequestPacket};

use super::Client;
use crate::error::Error;

/// A request of the binary protocol, as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RawRequest<'a> {
    /// The opcode. Quiet ones are refused: their silence can't be waited for.
    pub opcode: u8,
    /// The extras, up to 255 bytes.
    pub extras: &'a [u8],
    /// The key. It chooses the server, unless one is named.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// The CAS.
    pub cas: u64,
    /// The index of the server it goes to, in place of the key's.
    pub server: Option<usize>,
}

impl<'a> RawRequest<'a> {
    /// A request with nothing but an opcode.
    #[must_use]
    pub fn new(opcode: u8) -> Self {
        Self { opcode, ..Self::default() }
    }

    /// With extras.
    #[must_use]
    pub fn extras(mut self, extras: &'a [u8]) -> Self {
        self.extras = extras;
        self
    }

    /// With a key.
    #[must_use]
    pub fn key(mut self, key: &'a [u8]) -> Self {
        self.key = key;
        self
    }

    /// With a value.
    #[must_use]
    pub fn value(mut self, value: &'a [u8]) -> Self {
        self.value = value;
        self
    }

    /// To the server with this index.
    #[must_use]
    pub fn server(mut self, server: usize) -> Self {
        self.server = Some(server);
        self
    }
}

/// A response of the binary protocol, as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawResponse {
    /// The index of the server that answered.
    pub server: usize,
    /// The opcode.
    pub opcode: u8,
    /// The status, 0 for success (binary protocol, "Response Status").
    pub status: u16,
    /// The CAS.
    pub cas: u64,
    /// The extras.
    pub extras: Bytes,
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
}

impl Client {
    /// Sends a raw request and waits for its answer; of STAT's many, the first. An answer with an error status is
    /// returned as it is.
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// # use omcache::{Client, RawRequest, testing::Server};
    /// # let server = Server::start()?;
    /// # let mut client = Client::builder().server(server.address())?.build()?;
    /// let version = client.raw(&RawRequest::new(0x0b).server(0))?;
    /// assert_eq!(version.status, 0);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As other commands; also [`InvalidInput`](crate::ErrorKind::InvalidInput) for a quiet opcode, for a
    /// request with neither key nor server, and for fields longer than the protocol can say.
    pub fn raw(&mut self, request: &RawRequest<'_>) -> Result<RawResponse, Error> {
        let &RawRequest { extras, key, value, cas, .. } = request;
        let opcode = Opcode(request.opcode);
        if opcode.is_quiet() {
            return Err(Error::invalid(format!(
                "opcode {opcode:?} is quiet: it may get no answer to wait for"
            )));
        }
        let target = request.server.map_or(Target::Key, Target::Server);
        let packet = RequestPacket { opcode, vbucket: 0, cas, opaque: 0, extras, key, value };
        let now = self.begin();
        let deadline = self.deadline(now);
        let opaque = self.submit_patiently(now, |cluster| cluster.submit_packet(target, &packet))?;
        let mut first = None;
        self.await_answer(now, deadline, opaque, |response| {
            let server = response.server();
            let packet = response.packet();
            let last = packet.opcode != Opcode::STAT || packet.ends_stat();
            if first.is_none() {
                first = Some(RawResponse {
                    server,
                    opcode: packet.opcode.0,
                    status: packet.status.0,
                    cas: packet.cas,
                    extras: Bytes::copy_from_slice(packet.extras),
                    key: Bytes::copy_from_slice(packet.key),
                    value: Bytes::copy_from_slice(packet.value),
                });
            }
            if last { first.take().map(Ok) } else { None }
        })
    }
}
