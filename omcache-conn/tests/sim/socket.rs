//! A simulated socket: what the client wrote, what the server answered, and how it ends.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};
use omcache_conn::Instant;
use omcache_proto::binary::{Decoded, HEADER_LEN, Opcode, RequestHeader};

/// Where a socket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not connected; when it will be, if ever.
    Connecting { ready_at: Option<Instant> },
    /// Refused by the server.
    Refused,
    /// Connected.
    Open,
    /// Reset: what was on its way is lost.
    Reset,
}

/// One connection between the cluster and a server.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) peer: usize,
    /// The server of the cluster's list that it belongs to.
    pub(crate) endpoint: String,
    pub(crate) phase: Phase,
    /// Written by the client, not read by the server.
    pub(crate) input: BytesMut,
    /// Written by the server, each piece with the moment at which it arrives.
    output: VecDeque<(Instant, BytesMut)>,
    pub(crate) output_len: usize,
    /// The server closed it behind the output.
    pub(crate) ended: bool,
    /// The client was told that it takes no more.
    pub(crate) blocked: bool,
    header: BytesMut,
    body_left: usize,
}

impl Socket {
    pub(crate) fn new(peer: usize, endpoint: String, phase: Phase) -> Self {
        Self {
            peer,
            endpoint,
            phase,
            input: BytesMut::new(),
            output: VecDeque::new(),
            output_len: 0,
            ended: false,
            blocked: false,
            header: BytesMut::new(),
            body_left: 0,
        }
    }

    /// Takes bytes from the client; names the requests whose header is now complete.
    pub(crate) fn write(&mut self, mut bytes: &[u8], mut begun: impl FnMut(u32, Opcode)) {
        self.input.extend_from_slice(bytes);
        while !bytes.is_empty() {
            let body = self.body_left.min(bytes.len());
            self.body_left -= body;
            bytes.advance(body);
            let head = (HEADER_LEN - self.header.len()).min(bytes.len());
            self.header.extend_from_slice(&bytes[..head]);
            bytes.advance(head);
            if self.header.len() == HEADER_LEN {
                let Ok(Decoded::Complete { message, .. }) = RequestHeader::parse(&self.header) else {
                    panic!("the client wrote no request: {:?}", self.header);
                };
                begun(message.opaque, message.opcode);
                self.body_left = message.body_len as usize;
                self.header.clear();
            }
        }
    }

    /// Whether the last request was written up to somewhere in its header, so that it can't be told which it is.
    pub(crate) fn ends_in_a_header(&self) -> bool {
        !self.header.is_empty()
    }

    /// Appends an answer that arrives at a moment.
    pub(crate) fn answer(&mut self, at: Instant, bytes: BytesMut) {
        if !bytes.is_empty() {
            self.output_len += bytes.len();
            // An answer can't overtake the one before it.
            let at = self.output.back().map_or(at, |&(before, _)| before.max(at));
            self.output.push_back((at, bytes));
        }
    }

    /// Whether a read would get something.
    pub(crate) fn is_readable(&self, now: Instant) -> bool {
        self.output.front().is_some_and(|&(at, _)| at <= now)
    }

    /// Reads what has arrived, as much as fits.
    pub(crate) fn read(&mut self, now: Instant, into: &mut [u8]) -> usize {
        let mut count = 0;
        while let Some((at, piece)) = self.output.front_mut() {
            let some = piece.len().min(into.len() - count);
            if *at > now || some == 0 {
                break;
            }
            piece.copy_to_slice(&mut into[count..count + some]);
            count += some;
            if piece.is_empty() {
                self.output.pop_front();
            }
        }
        self.output_len -= count;
        count
    }

    /// The next moment at which something changes here by itself.
    pub(crate) fn next_change(&self) -> Option<Instant> {
        match self.phase {
            Phase::Connecting { ready_at } => ready_at,
            _ => self.output.front().map(|&(at, _)| at),
        }
    }

    /// Loses what is on its way.
    pub(crate) fn reset(&mut self) {
        self.phase = Phase::Reset;
        self.input.clear();
        self.output.clear();
        self.output_len = 0;
    }
}
