//! From received bytes to messages: each response is matched to the request that it answers.

use omcache_proto::binary::{Decoded, HEADER_LEN, Opcode, ResponseHeader, Status};

use super::{Connection, State};
use crate::buffer::Incoming;
use crate::error::ProtocolError;
use crate::in_flight::{Entry, Match, Origin};
use crate::shared::Shared;

/// So much of a response that is too large is read to its end, also where the receive limit is lower: for a longer one the
/// requests behind it would wait too long. A value of memcached's default maximum size fits.
const PASSED_OVER: usize = 1056 * 1024;

/// What the bytes received so far amount to.
#[derive(Debug)]
pub(crate) enum Message {
    /// Nothing whole.
    None,
    /// The handshake's NOOP was answered; `enabled` where the server was disabled before.
    Ready { enabled: bool },
    /// A quiet request is settled by a later response.
    Silent(Entry),
    /// The response at `start` answers `entry`.
    Answer { entry: Entry, header: ResponseHeader, start: usize },
    /// A response to `entry` that is too large. It is thrown away, or so long that the connection is to be made anew.
    TooLarge { entry: Entry, header: ResponseHeader, anew: bool },
    /// The server broke the protocol.
    Poison(ProtocolError),
}

impl Connection {
    /// Whether responses may be taken by the shortest way: all requests are sent, and none is answered in part.
    #[inline(always)]
    pub(super) fn is_plain(&self) -> bool {
        self.state == State::Ready && self.matched.is_none() && self.outgoing.is_empty()
    }

    /// The common case, by the shortest way: whole responses, each to the first request in the FIFO, and all requests sent.
    /// `each` gets the header, and where the response begins; it returns whether to go on. Returned is whether there was one.
    #[inline(always)]
    pub(crate) fn take_in_order(
        &mut self,
        receive_limit: usize,
        mut each: impl FnMut(&mut Incoming, ResponseHeader, usize) -> bool,
    ) -> Option<bool> {
        let mut goes_on = None;
        if !self.is_plain() {
            return goes_on;
        }
        while goes_on != Some(false) {
            let pending = self.incoming.pending();
            let Ok(Decoded::Complete { message: header, .. }) = ResponseHeader::parse(pending) else { break };
            let len = header.packet_len();
            let is_whole = len <= pending.len() && len <= receive_limit;
            // Several packets may answer STAT.
            if !is_whole || header.opcode == Opcode::STAT {
                break;
            }
            let Some(entry) = self.in_flight.pop_answered(header.opaque, header.opcode) else { break };
            let start = self.incoming.position();
            self.incoming.consume(len);
            goes_on = Some(entry.origin == Origin::Internal || each(&mut self.incoming, header, start));
        }
        if goes_on.is_some() && !self.owes() {
            self.waiting_since = None;
        }
        goes_on
    }

    /// Decodes the next message.
    pub(crate) fn next_message(&mut self, shared: &mut Shared) -> Message {
        let (header, silent) = match self.matched.take() {
            Some(matched) => matched,
            None => match self.next_header() {
                Ok(Some(header)) => match self.state {
                    State::Probing { opaque, sent, .. } => {
                        // Half a NOOP can't be answered.
                        let asked = (sent >= HEADER_LEN).then_some(opaque);
                        return self.probe_answer(&header, asked);
                    }
                    _ => match self.in_flight.find(header.opaque, self.outgoing.len()) {
                        Match::Entry { silent } => match self.mismatch(&header, silent) {
                            None => (header, silent),
                            Some(error) => return Message::Poison(error),
                        },
                        Match::None => {
                            let ResponseHeader { opaque, opcode, .. } = header;
                            return Message::Poison(ProtocolError::Unexpected { opaque, opcode });
                        }
                    },
                },
                Ok(None) => return Message::None,
                Err(error) => return Message::Poison(error),
            },
        };
        if silent > 0
            && let Some(entry) = self.in_flight.pop()
        {
            self.matched = Some((header, silent - 1));
            return Message::Silent(entry);
        }
        self.answer(header, shared)
    }

    /// The next of the quiet requests that are settled by a response which was found already.
    #[inline]
    pub(crate) fn next_silent(&mut self) -> Option<Entry> {
        let (_, silent) = self.matched.as_mut().filter(|(_, silent)| *silent > 0)?;
        *silent -= 1;
        self.in_flight.pop()
    }

    /// Takes out all of those; how many they were.
    pub(crate) fn drop_silent(&mut self) -> usize {
        let Some((_, silent)) = self.matched.as_mut() else { return 0 };
        let count = std::mem::take(silent);
        self.in_flight.drop_first(count);
        count
    }

    /// The header of the next response, if all of the response is there or it is too large to be.
    #[inline]
    fn next_header(&mut self) -> Result<Option<ResponseHeader>, ProtocolError> {
        let pending = self.incoming.pending();
        match ResponseHeader::parse(pending)? {
            Decoded::Complete { message, .. } => Ok(Some(message)),
            Decoded::Incomplete { needed } => {
                if !pending.is_empty() {
                    self.incoming.lacks(needed);
                }
                Ok(None)
            }
        }
    }

    /// What is wrong with a response to the request at this place. Asked before it settles any others.
    #[inline]
    fn mismatch(&self, header: &ResponseHeader, at: usize) -> Option<ProtocolError> {
        let entry = self.in_flight.get(at)?;
        let (opaque, asked, answered) = (entry.opaque, entry.opcode, header.opcode);
        let is_right = asked.loud() == answered.loud();
        (!is_right).then_some(ProtocolError::OpcodeMismatch { opaque, asked, answered })
    }

    #[inline]
    fn answer(&mut self, header: ResponseHeader, shared: &Shared) -> Message {
        let Some(&entry) = self.in_flight.front() else { return Message::None };
        let len = header.packet_len();
        let too_large = len > shared.config.receive_limit;
        let there = self.incoming.pending().len();
        if there < len && !too_large {
            self.incoming.lacks(len - there);
            self.matched = Some((header, 0));
            return Message::None;
        }
        let start = self.incoming.position();
        let goes_on = header.opcode == Opcode::STAT && header.status.is_success() && header.key_len > 0;
        if goes_on && too_large {
            // Its outcome is told now; the lines that follow are nobody's business.
            self.in_flight.disown_front();
        }
        if !goes_on {
            self.in_flight.pop();
            if !self.owes() {
                self.waiting_since = None;
            }
        }
        if too_large {
            let anew = len.saturating_sub(there) > shared.config.receive_limit.max(PASSED_OVER);
            if !anew {
                self.incoming.discard(len);
            }
            return Message::TooLarge { entry, header, anew };
        }
        self.incoming.consume(len);
        // Some servers answer a quiet request under the loud opcode; callers go by what they asked.
        let header = ResponseHeader { opcode: entry.opcode, ..header };
        Message::Answer { entry, header, start }
    }

    fn probe_answer(&mut self, header: &ResponseHeader, asked: Option<u32>) -> Message {
        let ResponseHeader { opaque, opcode, status, .. } = *header;
        // Nothing else was asked, so nothing may stand behind it either.
        let is_alone = self.incoming.pending().len() <= header.packet_len();
        if asked != Some(opaque) || opcode != Opcode::NOOP || !is_alone {
            return Message::Poison(ProtocolError::Unexpected { opaque, opcode });
        }
        if status != Status::SUCCESS || header.body_len != 0 {
            return Message::Poison(ProtocolError::Probe { status });
        }
        self.incoming.consume(HEADER_LEN);
        self.state = State::Ready;
        self.waiting_since = None;
        self.arrivals.clear();
        Message::Ready { enabled: std::mem::take(&mut self.down) }
    }
}
