//! The limit: packets encoded beforehand are sent, and as many bytes are read as the answers must have.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use bytes::BytesMut;
use omcache_proto::binary::HEADER_LEN;
use omcache_proto::{Key, Request, StoreMode};

/// As many bytes of quiet sets are sent at once.
const CHUNK: usize = 64 * 1024;

/// A blocking connection with everything prepared.
pub(crate) struct Bare {
    stream: TcpStream,
    gets: Vec<BytesMut>,
    sets: Vec<BytesMut>,
    get_multi: BytesMut,
    quiet_sets: BytesMut,
    /// Bytes of the answer to a get: header, flags, value.
    found: usize,
    space: Vec<u8>,
}

impl Bare {
    pub(crate) fn connect(address: &str, keys: &[String], value: &[u8], queued: usize) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let get = |key, quiet| Request::Get { key, with_key: false, quiet };
        let set = |key, quiet| Request::Store {
            mode: StoreMode::Set,
            key,
            value,
            flags: 0,
            expiration: 0,
            cas: 0,
            quiet,
        };
        let keys = keys.iter().map(|key| Key::new(key.as_bytes()).map_err(io::Error::other));
        let keys = keys.collect::<io::Result<Vec<_>>>()?;
        let found = HEADER_LEN + 4 + value.len();
        Ok(Self {
            stream,
            gets: keys.iter().map(|&key| encode([get(key, false)])).collect::<io::Result<_>>()?,
            sets: keys.iter().map(|&key| encode([set(key, false)])).collect::<io::Result<_>>()?,
            get_multi: encode(keys.iter().map(|&key| get(key, true)).chain([Request::Noop]))?,
            quiet_sets: encode(
                keys.iter().cycle().take(queued).map(|&key| set(key, true)).chain([Request::Noop]),
            )?,
            found,
            space: vec![0; found * keys.len() + HEADER_LEN],
        })
    }

    pub(crate) fn get(&mut self, at: usize) -> io::Result<()> {
        self.stream.write_all(&self.gets[at])?;
        self.stream.read_exact(&mut self.space[..self.found])
    }

    pub(crate) fn set(&mut self, at: usize) -> io::Result<()> {
        self.stream.write_all(&self.sets[at])?;
        self.stream.read_exact(&mut self.space[..HEADER_LEN])
    }

    /// All keys in quiet form, and a NOOP.
    pub(crate) fn get_multi(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.get_multi)?;
        self.stream.read_exact(&mut self.space)
    }

    /// Quiet sets have no answer; the NOOP behind them has.
    pub(crate) fn quiet_sets(&mut self) -> io::Result<()> {
        for chunk in self.quiet_sets.chunks(CHUNK) {
            self.stream.write_all(chunk)?;
        }
        self.stream.read_exact(&mut self.space[..HEADER_LEN])
    }
}

fn encode<'r>(requests: impl IntoIterator<Item = Request<'r>>) -> io::Result<BytesMut> {
    let mut packets = BytesMut::new();
    for (opaque, request) in (1..).zip(requests) {
        request.encode_binary(opaque, &mut packets).map_err(io::Error::other)?;
    }
    Ok(packets)
}
