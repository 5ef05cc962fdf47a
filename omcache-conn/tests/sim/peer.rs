//! A scripted memcached server: what it stores, how it answers, and how it misbehaves.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use omcache_proto::binary::{
    Decoded, HEADER_LEN, Opcode, RequestPacket, ResponsePacket, Status, decode_request,
};
use omcache_proto::{ConcatMode, CounterMode, Request, StoreMode};

/// The longest request body that a server takes.
const MAX_BODY: usize = 64 << 20;

/// The address of the server with this number.
pub(crate) fn address(peer: usize) -> SocketAddr {
    let (high, low) = (u8::try_from(peer / 250).unwrap(), u8::try_from(peer % 250).unwrap());
    SocketAddr::from((Ipv4Addr::new(10, 0, high, low + 1), 11211))
}

/// How a server treats those who connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Answers.
    Up,
    /// Refuses connections. Those that stand are answered.
    Refusing,
    /// Lets connects hang. Connections that stand are not read.
    Unreachable,
    /// Takes connections and reads nothing.
    Hanging,
    /// Takes connections and closes them when something arrives.
    Closing,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// The opaque of no request.
    Opaque,
    /// The opcode of another command.
    Opcode,
    /// The magic of a request.
    Magic,
    /// A data type that does not exist.
    DataType,
    /// Extras and key that are longer than the body.
    Lengths,
    /// No packet at all.
    Garbage,
    /// A body of nearly 4 GiB announced.
    Huge,
    /// An answer that nobody asked for, before the right one.
    Unasked,
    /// Half an answer, then the end of the stream.
    Truncated,
    /// Another status.
    Status,
    /// The opaque of another request that is under way, one of another kind.
    Later,
}

impl Lie {
    pub(crate) const ALL: [Lie; 11] = [
        Lie::Opaque,
        Lie::Opcode,
        Lie::Magic,
        Lie::DataType,
        Lie::Lengths,
        Lie::Garbage,
        Lie::Huge,
        Lie::Unasked,
        Lie::Truncated,
        Lie::Status,
        Lie::Later,
    ];
}

/// What came of a request on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was said, as the protocol has it.
    Silent,
    /// It was answered.
    Answer { status: Status, value: Vec<u8> },
}

/// A request that a server carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Executed {
    pub(crate) peer: usize,
    pub(crate) opaque: u32,
    pub(crate) opcode: Opcode,
    pub(crate) key: Vec<u8>,
    pub(crate) verdict: Verdict,
}

/// One server.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) number: usize,
    pub(crate) mode: Mode,
    /// Time between a request and its answer.
    pub(crate) delay: Duration,
    /// Time that a connect takes.
    pub(crate) connect_delay: Duration,
    /// Bytes that the sockets to it take while it does not read.
    pub(crate) window: usize,
    /// Bytes of answers that wait before it stops reading requests.
    pub(crate) backlog: usize,
    /// Bytes that one read of the client gets at most.
    pub(crate) read_max: usize,
    /// Lines of an answer to STAT.
    pub(crate) stat_lines: usize,
    /// A lie, and how many answers are right before it.
    pub(crate) lie: Option<(usize, Lie)>,
    /// Everything it carried out that is not a NOOP.
    pub(crate) log: Vec<Executed>,
    /// Connections that it took.
    pub(crate) accepted: usize,
    /// Answers to NOOPs.
    pub(crate) noops: usize,
    store: BTreeMap<Vec<u8>, Vec<u8>>,
    answers: u64,
}

impl Peer {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            number,
            mode: Mode::Up,
            delay: Duration::ZERO,
            connect_delay: Duration::ZERO,
            window: 1 << 16,
            backlog: 1 << 16,
            read_max: usize::MAX,
            stat_lines: 3,
            lie: None,
            log: Vec::new(),
            accepted: 0,
            noops: 0,
            store: BTreeMap::new(),
            answers: 0,
        }
    }

    /// Puts an item into the store.
    pub(crate) fn put(&mut self, key: &str, value: impl Into<Vec<u8>>) {
        self.store.insert(key.as_bytes().to_vec(), value.into());
    }

    /// What is stored for a key.
    pub(crate) fn stored(&self, key: &str) -> Option<&[u8]> {
        self.store.get(key.as_bytes()).map(Vec::as_slice)
    }

    /// The keys of the requests it carried out, in order.
    pub(crate) fn keys_seen(&self) -> Vec<String> {
        self.log.iter().map(|executed| String::from_utf8_lossy(&executed.key).into_owned()).collect()
    }

    /// Carries out the next request of `input` and appends its answer to `output`. None where no whole one is there.
    /// Beside the request, whether the connection is closed after it.
    pub(crate) fn serve(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> Option<(Executed, bool)> {
        let decoded = decode_request(input, MAX_BODY).expect("a client sends requests");
        let Decoded::Complete { message, consumed } = decoded else { return None };
        let request = message.to_request().expect("a client sends requests that have a meaning");
        let from = output.len();
        let verdict = self.execute(&message, &request, output);
        let mut closes = matches!(request, Request::Quit { .. });
        if output.len() > from {
            let later = later_of_another_kind(&input[message.encoded_len()..], message.opcode);
            closes |= self.tell_lies(output, from, later);
        }
        let (opaque, opcode, key) = (message.opaque, message.opcode, message.key.to_vec());
        let executed = Executed { peer: self.number, opaque, opcode, key, verdict };
        match opcode {
            Opcode::NOOP => self.noops += 1,
            _ => self.log.push(executed.clone()),
        }
        input.advance(consumed);
        Some((executed, closes))
    }

    fn execute(
        &mut self,
        packet: &RequestPacket<'_>,
        request: &Request<'_>,
        output: &mut BytesMut,
    ) -> Verdict {
        let answer = |status: Status, extras: &[u8], key: &[u8], value: &[u8], output: &mut BytesMut| {
            let (opcode, opaque) = (packet.opcode, packet.opaque);
            let quiet = match opcode.is_quiet_on_miss() {
                true => status == Status::KEY_NOT_FOUND,
                false => opcode.is_quiet() && status.is_success(),
            };
            if quiet {
                return Verdict::Silent;
            }
            ResponsePacket { opcode, status, cas: 1, opaque, extras, key, value }.encode(output).unwrap();
            Verdict::Answer { status, value: value.to_vec() }
        };
        let (ok, missing) = (Status::SUCCESS, Status::KEY_NOT_FOUND);
        match *request {
            Request::Get { key, with_key, .. } | Request::GetAndTouch { key, with_key, .. } => {
                let Some(stored) = self.store.get(key.as_bytes()) else {
                    return answer(missing, b"", b"", b"Not found", output);
                };
                // The answer says whose it is, so that one that goes astray is seen.
                self.answers += 1;
                let mut value = stored.clone();
                value.extend_from_slice(format!("|{}#{}", self.number, self.answers).as_bytes());
                answer(ok, &[0; 4], if with_key { key.as_bytes() } else { b"" }, &value, output)
            }
            Request::Store { mode, key, value, .. } => {
                let status = match (mode, self.store.contains_key(key.as_bytes())) {
                    (StoreMode::Add, true) => Status::KEY_EXISTS,
                    (StoreMode::Replace, false) => missing,
                    _ => ok,
                };
                if status.is_success() {
                    self.store.insert(key.as_bytes().to_vec(), value.to_vec());
                }
                answer(status, b"", b"", b"", output)
            }
            Request::Concat { mode, key, value, .. } => match self.store.get_mut(key.as_bytes()) {
                None => answer(Status::NOT_STORED, b"", b"", b"", output),
                Some(stored) if mode == ConcatMode::Append => {
                    stored.extend_from_slice(value);
                    answer(ok, b"", b"", b"", output)
                }
                Some(stored) => {
                    stored.splice(..0, value.iter().copied());
                    answer(ok, b"", b"", b"", output)
                }
            },
            Request::Counter { mode, key, delta, initial, .. } => {
                let number = match self.store.get(key.as_bytes()) {
                    None => Some(initial),
                    Some(stored) => {
                        let number =
                            std::str::from_utf8(stored).ok().and_then(|text| text.parse::<u64>().ok());
                        number.map(|number| match mode {
                            CounterMode::Increment => number.wrapping_add(delta),
                            CounterMode::Decrement => number.saturating_sub(delta),
                        })
                    }
                };
                let Some(number) = number else {
                    return answer(Status::NON_NUMERIC, b"", b"", b"", output);
                };
                self.store.insert(key.as_bytes().to_vec(), number.to_string().into_bytes());
                answer(ok, b"", b"", &number.to_be_bytes(), output)
            }
            Request::Delete { key, .. } => {
                let status = if self.store.remove(key.as_bytes()).is_some() { ok } else { missing };
                answer(status, b"", b"", b"", output)
            }
            Request::Touch { key, .. } => {
                let status = if self.store.contains_key(key.as_bytes()) { ok } else { missing };
                answer(status, b"", b"", b"", output)
            }
            Request::Flush { .. } => {
                self.store.clear();
                answer(ok, b"", b"", b"", output)
            }
            Request::Stat { .. } => {
                for line in 0..self.stat_lines {
                    answer(ok, b"", format!("line{line}").as_bytes(), line.to_string().as_bytes(), output);
                }
                answer(ok, b"", b"", b"", output)
            }
            Request::Version => answer(ok, b"", b"", b"1.6.0", output),
            _ => answer(ok, b"", b"", b"", output),
        }
    }

    /// Spoils the answer at `from`, if it is one's turn. Whether the stream ends with it.
    fn tell_lies(&mut self, output: &mut BytesMut, from: usize, later: Option<u32>) -> bool {
        let lie = match &mut self.lie {
            None => return false,
            Some((wait @ 1.., _)) => {
                *wait -= 1;
                return false;
            }
            Some((0, lie)) => *lie,
        };
        self.lie = None;
        let answer = &mut output[from..];
        match lie {
            Lie::Opaque => answer[12] ^= 0x40,
            Lie::Later => match later {
                Some(opaque) => answer[12..16].copy_from_slice(&opaque.to_be_bytes()),
                None => answer[12] ^= 0x40,
            },
            Lie::Opcode => {
                answer[1] = if answer[1] == Opcode::VERSION.0 { Opcode::NOOP.0 } else { Opcode::VERSION.0 }
            }
            Lie::Magic => answer[0] = 0x80,
            Lie::DataType => answer[5] = 1,
            Lie::Lengths => {
                answer[2..5].fill(0xff);
                answer[8..12].copy_from_slice(&3_u32.to_be_bytes());
            }
            Lie::Garbage => {
                answer[..HEADER_LEN].copy_from_slice(b"ERROR out of memory\r\n...."[..24].try_into().unwrap())
            }
            Lie::Huge => answer[8..12].copy_from_slice(&0xffff_fff0_u32.to_be_bytes()),
            Lie::Status => answer[6..8].copy_from_slice(&Status::INTERNAL_ERROR.0.to_be_bytes()),
            Lie::Unasked => {
                let right = output.split_off(from);
                let mut wrong = BytesMut::from(&right[..HEADER_LEN]);
                wrong[12] ^= 0x20;
                wrong[2..6].fill(0);
                wrong[8..12].fill(0);
                output.extend_from_slice(&wrong);
                output.extend_from_slice(&right);
            }
            Lie::Truncated => {
                let half = answer.len() / 2;
                output.truncate(from + half);
                return true;
            }
        }
        false
    }
}

/// The opaque of the next request whose answers no client can take for those to `opcode`.
fn later_of_another_kind(mut input: &[u8], opcode: Opcode) -> Option<u32> {
    while let Ok(Decoded::Complete { message, consumed }) = decode_request(input, MAX_BODY) {
        if message.opcode.loud() != opcode.loud() {
            return Some(message.opaque);
        }
        input = &input[consumed..];
    }
    None
}
