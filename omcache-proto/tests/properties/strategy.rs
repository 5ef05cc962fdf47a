//! Requests, packets and headers of every kind, owned so that they can be generated.

use omcache_proto::binary::{Opcode, RequestPacket, ResponsePacket, Status};
use omcache_proto::{ConcatMode, CounterMode, Key, Request, StoreMode};
use proptest::prelude::*;

pub(crate) fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..=max)
}

/// The parts from which every [`Request`] can be made.
#[derive(Debug, Clone)]
pub(crate) struct RequestParts {
    pub(crate) kind: u8,
    pub(crate) mode: u8,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) numbers: (u32, u32, u64, u64, u64),
    pub(crate) with_key: bool,
    pub(crate) quiet: bool,
}

/// How many kinds of [`Request`] there are.
pub(crate) const KINDS: u8 = 16;

pub(crate) fn request_parts() -> impl Strategy<Value = RequestParts> {
    let numbers = (any::<u32>(), any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>());
    let key = proptest::collection::vec(any::<u8>(), 1..=Key::MAX_LEN);
    (0..KINDS, 0..3u8, key, bytes(300), numbers, any::<bool>(), any::<bool>()).prop_map(
        |(kind, mode, key, value, numbers, with_key, quiet)| RequestParts {
            kind,
            mode,
            key,
            value,
            numbers,
            with_key,
            quiet,
        },
    )
}

impl RequestParts {
    pub(crate) fn request(&self) -> Request<'_> {
        let key = Key::new(&self.key).expect("1 to 250 bytes");
        let value = &*self.value;
        let (flags, expiration, cas, delta, initial) = self.numbers;
        let &Self { quiet, with_key, .. } = self;
        match self.kind {
            0 => Request::Get { key, with_key, quiet },
            1 => Request::GetAndTouch { key, expiration, with_key, quiet },
            2 => {
                let mode = [StoreMode::Set, StoreMode::Add, StoreMode::Replace][usize::from(self.mode)];
                Request::Store { mode, key, value, flags, expiration, cas, quiet }
            }
            3 => {
                let mode = if with_key { ConcatMode::Append } else { ConcatMode::Prepend };
                Request::Concat { mode, key, value, cas, quiet }
            }
            4 => {
                let mode = if with_key { CounterMode::Increment } else { CounterMode::Decrement };
                Request::Counter { mode, key, delta, initial, expiration, cas, quiet }
            }
            5 => Request::Delete { key, cas, quiet },
            6 => Request::Touch { key, expiration },
            7 => Request::Flush { delay: with_key.then_some(expiration), quiet },
            8 => Request::Noop,
            9 => Request::Version,
            10 => Request::Quit { quiet },
            11 => Request::Verbosity { level: flags },
            12 => Request::Stat { group: value },
            13 => Request::SaslList,
            14 => Request::SaslAuth { mechanism: &self.key, data: value },
            15 => Request::SaslStep { mechanism: value, data: &self.key },
            kind => panic!("no kind {kind}"),
        }
    }
}

/// The parts of a packet of either direction.
#[derive(Debug, Clone)]
pub(crate) struct PacketParts {
    opcode: u8,
    special: u16,
    cas: u64,
    opaque: u32,
    extras: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
}

pub(crate) fn packet_parts() -> impl Strategy<Value = PacketParts> {
    // Mostly the opcodes, statuses and lengths that mean something, and all the others too.
    let opcode = prop_oneof![4 => 0x00..0x3du8, 1 => any::<u8>()];
    let special = prop_oneof![2 => Just(0u16), 1 => 0..0x90u16, 1 => any::<u16>()];
    let extras = prop_oneof![
        2 => Just(Vec::new()),
        2 => proptest::collection::vec(any::<u8>(), 4),
        1 => proptest::collection::vec(any::<u8>(), 8),
        1 => proptest::collection::vec(any::<u8>(), 20),
        1 => bytes(255),
    ];
    let key = prop_oneof![1 => Just(Vec::new()), 3 => bytes(300)];
    let value = prop_oneof![
        2 => Just(Vec::new()),
        1 => proptest::collection::vec(any::<u8>(), 8),
        3 => bytes(300),
    ];
    (opcode, special, any::<u64>(), any::<u32>(), extras, key, value).prop_map(
        |(opcode, special, cas, opaque, extras, key, value)| PacketParts {
            opcode,
            special,
            cas,
            opaque,
            extras,
            key,
            value,
        },
    )
}

impl PacketParts {
    pub(crate) fn request(&self) -> RequestPacket<'_> {
        RequestPacket {
            opcode: Opcode(self.opcode),
            vbucket: self.special,
            cas: self.cas,
            opaque: self.opaque,
            extras: &self.extras,
            key: &self.key,
            value: &self.value,
        }
    }

    pub(crate) fn response(&self) -> ResponsePacket<'_> {
        ResponsePacket {
            opcode: Opcode(self.opcode),
            status: Status(self.special),
            cas: self.cas,
            opaque: self.opaque,
            extras: &self.extras,
            key: &self.key,
            value: &self.value,
        }
    }
}
