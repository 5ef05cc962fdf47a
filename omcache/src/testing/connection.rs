//! One connection: requests out of the bytes that come, answers back.

use std::io;

use bytes::{Buf, BytesMut};
use omcache_proto::DecodeError;
use omcache_proto::binary::{Decoded, HEADER_LEN, RequestHeader, RequestPacket, Status, decode_request};

use super::answer::Answers;
use super::fault::{Concern, Fault};
use super::link::Link;
use super::sender::{After, Sender};
use super::state::State;

/// How much is read at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// Serves a connection until either side ends it.
pub(super) fn serve(link: &Link, state: &State) {
    let max_item_size = state.cache().store.max_item_size();
    let mut connection = Connection {
        link,
        state,
        sender: Sender::new(link, &state.faults),
        input: BytesMut::new(),
        skip: 0,
        max_body: max_item_size.saturating_add(CHUNK),
    };
    // A connection that fails is one that ended; there is nobody to tell.
    let _ = connection.run();
}

struct Connection<'a> {
    link: &'a Link,
    state: &'a State,
    sender: Sender<'a>,
    input: BytesMut,
    /// How much of the input is the rest of a request that was answered, in bytes.
    skip: usize,
    /// The longest body that is read as a whole, in bytes.
    max_body: usize,
}

/// What came of looking at the input.
enum Step {
    Handled(After),
    /// There is no whole request.
    NeedMore,
}

/// How much of a request there is.
enum Extent {
    Whole,
    WithoutValue,
}

impl Connection<'_> {
    fn run(&mut self) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            match self.step()? {
                Step::Handled(After::GoOn) => {}
                Step::Handled(After::Close) => return self.sender.flush(),
                Step::NeedMore => {
                    self.sender.flush()?;
                    self.link.wait_readable()?;
                    self.obey_stop()?;
                    let len = self.link.read(&mut chunk)?;
                    let Some(read @ [_, ..]) = chunk.get(..len) else { return Ok(()) };
                    self.input.extend_from_slice(read);
                }
            }
        }
    }

    /// Handles the request at the front of the input.
    fn step(&mut self) -> io::Result<Step> {
        let skipped = self.skip.min(self.input.len());
        self.input.advance(skipped);
        self.skip -= skipped;
        if self.input.is_empty() {
            return Ok(Step::NeedMore);
        }
        self.obey_stop()?;
        match decode_request(&self.input, self.max_body) {
            Ok(Decoded::Complete { message, consumed }) => {
                let after = handle(self.state, &mut self.sender, &message, Extent::Whole)?;
                self.input.advance(consumed);
                Ok(Step::Handled(after))
            }
            Ok(Decoded::Incomplete { .. }) => Ok(Step::NeedMore),
            Err(DecodeError::BodyTooLarge { .. }) => self.step_without_value(),
            // memcached closes the connection too; where the lengths contradict each other, after an answer.
            Err(_) => Ok(Step::Handled(After::Close)),
        }
    }

    /// Handles a request that is too long to be read as a whole, and skips its value.
    fn step_without_value(&mut self) -> io::Result<Step> {
        let Ok(Decoded::Complete { message: header, .. }) = RequestHeader::parse(&self.input) else {
            return Ok(Step::NeedMore);
        };
        let extras_end = HEADER_LEN + usize::from(header.extras_len);
        let key_end = extras_end + usize::from(header.key_len);
        let parts = (self.input.get(HEADER_LEN..extras_end), self.input.get(extras_end..key_end));
        let (Some(extras), Some(key)) = parts else {
            return Ok(Step::NeedMore);
        };
        let packet = RequestPacket {
            opcode: header.opcode,
            vbucket: header.vbucket,
            cas: header.cas,
            opaque: header.opaque,
            extras,
            key,
            value: b"",
        };
        let after = handle(self.state, &mut self.sender, &packet, Extent::WithoutValue)?;
        self.skip = header.packet_len();
        Ok(Step::Handled(after))
    }

    /// Stops here as long as the server is told not to read.
    fn obey_stop(&mut self) -> io::Result<()> {
        if self.state.faults.is(Concern::Reading) {
            self.sender.flush()?;
            self.state.faults.wait_to_read(|| self.link.is_closing());
        }
        Ok(())
    }
}

/// Carries a request out and sends what it gets.
fn handle(
    state: &State,
    sender: &mut Sender<'_>,
    packet: &RequestPacket<'_>,
    extent: Extent,
) -> io::Result<After> {
    state.tally.count(packet.opcode);
    let taken = if sender.is_silent() { None } else { state.faults.take(Concern::Answers) };
    let fault = taken.as_ref().map(|taken| &taken.fault);
    let Answers { answers, close } = match fault {
        Some(Fault::Status(status)) => Answers::refusing(packet, Status(*status)),
        _ => {
            let mut cache = state.cache();
            match extent {
                Extent::Whole => cache.execute(packet, &state.facts()),
                Extent::WithoutValue => cache.execute_without_value(packet),
            }
        }
    };
    if answers.is_empty() {
        if let Some(unused) = &taken {
            state.faults.give_back(unused);
        }
    } else if sender.send(&answers, fault)? == After::Close {
        return Ok(After::Close);
    }
    Ok(if close { After::Close } else { After::GoOn })
}
