//! Answers on their way to the client, with the faults that happen to them.

use std::io;

use bytes::BytesMut;
use omcache_proto::EncodeError;
use omcache_proto::binary::{MAGIC_RESPONSE, Opcode, ResponseHeader, ResponsePacket};

use super::answer::Answer;
use super::fault::{Fault, Faults};
use super::link::Link;

/// From this many bytes on, answers are not collected further but sent.
const ENOUGH: usize = 64 * 1024;

/// How much garbage is sent, in bytes.
const GARBAGE: usize = 64;

/// What comes after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    GoOn,
    Close,
}

/// Collects answers and sends them.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    link: &'a Link,
    faults: &'a Faults,
    out: BytesMut,
    silent: bool,
}

impl<'a> Sender<'a> {
    pub(super) fn new(link: &'a Link, faults: &'a Faults) -> Self {
        Self { link, faults, out: BytesMut::new(), silent: false }
    }

    /// Whether nothing is sent any more.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// Sends what was collected.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let sent = self.link.write(&self.out);
        self.out.clear();
        sent
    }

    /// Collects an answer, or does what the fault says.
    pub(super) fn send(&mut self, answers: &[Answer], fault: Option<&Fault>) -> io::Result<After> {
        if self.silent {
            return Ok(After::GoOn);
        }
        match fault {
            Some(Fault::StopAnswering) => {}
            Some(Fault::Close) => return Ok(After::Close),
            Some(Fault::CutShort { bytes }) => {
                self.send_beginning(answers, *bytes)?;
                return Ok(After::Close);
            }
            Some(Fault::CutShortAndHang { bytes }) => {
                self.send_beginning(answers, *bytes)?;
                self.silent = true;
            }
            Some(Fault::Garbage) => self.out.extend_from_slice(&garbage(answers)),
            Some(Fault::Delay(time)) => {
                self.flush()?;
                self.faults.wait(*time, || self.link.is_closing());
                encode(answers, fault, &mut self.out)?;
            }
            Some(Fault::Split { bytes, pause }) => {
                self.flush()?;
                let mut whole = BytesMut::new();
                encode(answers, fault, &mut whole)?;
                for piece in whole.chunks((*bytes).max(1)) {
                    self.link.write(piece)?;
                    self.faults.wait(*pause, || self.link.is_closing());
                }
            }
            _ => encode(answers, fault, &mut self.out)?,
        }
        if self.out.len() >= ENOUGH {
            self.flush()?;
        }
        Ok(After::GoOn)
    }

    fn send_beginning(&mut self, answers: &[Answer], bytes: usize) -> io::Result<()> {
        let mut whole = BytesMut::new();
        encode(answers, None, &mut whole)?;
        whole.truncate(bytes);
        self.out.extend_from_slice(&whole);
        self.flush()
    }
}

/// Writes the responses as the fault has them.
fn encode(answers: &[Answer], fault: Option<&Fault>, out: &mut BytesMut) -> io::Result<()> {
    for answer in answers {
        let packet = answer.packet();
        match fault {
            Some(Fault::WrongOpaque) => ResponsePacket { opaque: !packet.opaque, ..packet }.encode(out),
            Some(Fault::WrongOpcode) => {
                let opcode = if packet.opcode == Opcode::NOOP { Opcode::VERSION } else { Opcode::NOOP };
                ResponsePacket { opcode, ..packet }.encode(out)
            }
            Some(Fault::OversizedLength { by }) => oversized(packet, *by, out),
            _ => packet.encode(out),
        }
        // Items are far smaller than what the protocol can tell.
        .map_err(io::Error::other)?;
    }
    Ok(())
}

/// Writes a response whose header tells a body that is longer by this.
fn oversized(packet: ResponsePacket<'_>, by: u32, out: &mut BytesMut) -> Result<(), EncodeError> {
    let header = packet.header()?;
    let header = ResponseHeader { body_len: header.body_len.saturating_add(by), ..header };
    out.extend_from_slice(&header.encode());
    for part in [packet.extras, packet.key, packet.value] {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// Bytes without a meaning: the same in each run, others for each answer.
fn garbage(answers: &[Answer]) -> [u8; GARBAGE] {
    let seed = answers.first().map_or(0, |answer| answer.opaque);
    let mut state = u64::from(seed) | 1 << 32;
    let mut garbage = [0; GARBAGE].map(|_: u8| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    });
    if garbage[0] == MAGIC_RESPONSE {
        garbage[0] = !MAGIC_RESPONSE;
    }
    garbage
}
