//! Operations and their results: what is asked for, and what an answer means. No I/O.

use bytes::Bytes;
use omcache_conn::Response;
use omcache_proto::Key;
use omcache_proto::binary::{Opcode, Status};
use omcache_proto::{ConcatMode, CounterMode, Request, StoreMode};

use crate::error::Error;
use crate::expiration::Expiration;

/// An expiration of a counter that tells the server not to make a missing one (binary protocol, "Increment").
const DO_NOT_CREATE: u32 = u32::MAX;

/// A value that was found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Value {
    /// The bytes, not copied: they keep the receive buffer they lie in alive (64 KiB, or up to twice
    /// their own length where that is more). A program that keeps many small values for long may copy them.
    pub data: Bytes,
    /// The flags that were stored with it.
    pub flags: u32,
    /// Its CAS, for [`Item::cas`] and [`Client::cas`](crate::Client::cas).
    pub cas: u64,
}

/// A value that was found, lent where it was received to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValueRef<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// The flags that were stored with it.
    pub flags: u32,
    /// Its CAS, for [`Item::cas`] and [`Client::cas`](crate::Client::cas).
    pub cas: u64,
}

/// What became of a value to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use = "a value may not have been stored"]
pub enum Stored {
    /// It is stored.
    Stored {
        /// The CAS it has now; 0 where the command was sent in its quiet form, as batches are.
        cas: u64,
    },
    /// It is not: the key exists (add), or its CAS differs.
    Exists,
    /// It is not: there is no such key (replace, or a CAS was given).
    NotFound,
    /// It is not: there is nothing to append or prepend to.
    NotStored,
}

impl Stored {
    /// Whether the value is stored.
    #[must_use]
    pub fn is_stored(self) -> bool {
        matches!(self, Self::Stored { .. })
    }
}

/// A value to be stored, with what goes with it.
///
/// ```
/// use omcache::{Expiration, Item};
/// use std::time::Duration;
///
/// let item = Item::new("user:1", "Ada").flags(16).expires(Expiration::after(Duration::from_secs(300)));
/// assert_eq!(item.key, b"user:1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The key, 1 to 250 bytes.
    pub key: &'a [u8],
    /// The value. Servers store up to 1 MiB unless told otherwise.
    pub value: &'a [u8],
    /// Flags, kept with the value; their meaning is the program's.
    pub flags: u32,
    /// When it expires.
    pub expiration: Expiration,
    /// Store only if the key's CAS is this one; 0 stores in any case.
    pub cas: u64,
}

impl<'a> Item<'a> {
    /// A value without flags that never expires.
    #[must_use]
    pub fn new<K: AsRef<[u8]> + ?Sized, V: AsRef<[u8]> + ?Sized>(key: &'a K, value: &'a V) -> Self {
        Self { key: key.as_ref(), value: value.as_ref(), flags: 0, expiration: Expiration::NEVER, cas: 0 }
    }

    /// With flags.
    #[must_use]
    pub fn flags(mut self, flags: u32) -> Self {
        self.flags = flags;
        self
    }

    /// With an expiration.
    #[must_use]
    pub fn expires(mut self, expiration: impl Into<Expiration>) -> Self {
        self.expiration = expiration.into();
        self
    }

    /// To be stored only if the key's CAS is this one.
    #[must_use]
    pub fn cas(mut self, cas: u64) -> Self {
        self.cas = cas;
        self
    }
}

/// How a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// In any case.
    Set,
    /// Only if the key does not exist.
    Add,
    /// Only if the key exists.
    Replace,
    /// Behind the value that is there.
    Append,
    /// Before the value that is there.
    Prepend,
}

/// An operation, for the calls that do not wait: [`Client::submit`](crate::Client::submit) and
/// [`Client::queue`](crate::Client::queue).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// Read a value. [`Reply::Value`].
    Get(&'a [u8]),
    /// Read a value and set its expiration. [`Reply::Value`].
    GetAndTouch(&'a [u8], Expiration),
    /// Store a value. [`Reply::Stored`].
    Store(Mode, Item<'a>),
    /// Add to a counter. [`Reply::Counter`].
    Increment(&'a [u8], Delta),
    /// Subtract from a counter, not below 0. [`Reply::Counter`].
    Decrement(&'a [u8], Delta),
    /// Remove a key. [`Reply::Found`].
    Delete(&'a [u8]),
    /// Set a key's expiration. [`Reply::Found`].
    Touch(&'a [u8], Expiration),
}

/// How a counter changes. It is made from a number, and [`Delta::or_create`] says what becomes of a missing counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delta {
    /// By how much.
    pub by: u64,
    /// What a missing counter is made with, and when it expires; none leaves it missing.
    pub initial: Option<(u64, Expiration)>,
}

impl From<u64> for Delta {
    fn from(by: u64) -> Self {
        Self { by, initial: None }
    }
}

impl Delta {
    /// With a value that a missing counter is made with.
    #[must_use]
    pub fn or_create(mut self, initial: u64, expiration: impl Into<Expiration>) -> Self {
        self.initial = Some((initial, expiration.into()));
        self
    }
}

/// What an operation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// The value, if the key was found.
    Value(Option<Value>),
    /// What became of a value to be stored.
    Stored(Stored),
    /// The counter's new value, if the key was found.
    Counter(Option<u64>),
    /// Whether the key was found, and deleted or touched.
    Found(bool),
}

impl<'a> Command<'a> {
    #[cfg(feature = "tokio")]
    pub(crate) fn key(&self) -> &'a [u8] {
        match *self {
            Self::Get(key)
            | Self::GetAndTouch(key, _)
            | Self::Increment(key, _)
            | Self::Decrement(key, _)
            | Self::Delete(key)
            | Self::Touch(key, _) => key,
            Self::Store(_, item) => item.key,
        }
    }

    pub(crate) fn request(&self, quiet: bool) -> Result<Request<'a>, Error> {
        let key = |key: &'a [u8]| Key::new(key).map_err(Error::invalid);
        Ok(match *self {
            Self::Get(k) => Request::Get { key: key(k)?, with_key: false, quiet },
            Self::GetAndTouch(k, expiration) => {
                let expiration = expiration.as_raw();
                Request::GetAndTouch { key: key(k)?, expiration, with_key: false, quiet }
            }
            Self::Store(mode, item) => store(mode, &item, key(item.key)?, quiet),
            Self::Increment(k, delta) => counter(CounterMode::Increment, key(k)?, delta, quiet),
            Self::Decrement(k, delta) => counter(CounterMode::Decrement, key(k)?, delta, quiet),
            Self::Delete(k) => Request::Delete { key: key(k)?, cas: 0, quiet },
            Self::Touch(k, expiration) => Request::Touch { key: key(k)?, expiration: expiration.as_raw() },
        })
    }
}

/// A request that stores; an error where the key is invalid.
#[inline(always)]
pub(crate) fn store_request<'a>(mode: StoreMode, item: &Item<'a>, quiet: bool) -> Result<Request<'a>, Error> {
    let &Item { key, value, flags, cas, expiration } = item;
    let key = Key::new(key).map_err(Error::invalid)?;
    Ok(Request::Store { mode, key, value, flags, expiration: expiration.as_raw(), cas, quiet })
}

fn store<'a>(mode: Mode, item: &Item<'a>, key: Key<'a>, quiet: bool) -> Request<'a> {
    let &Item { value, flags, cas, .. } = item;
    let mode = match mode {
        Mode::Set => StoreMode::Set,
        Mode::Add => StoreMode::Add,
        Mode::Replace => StoreMode::Replace,
        Mode::Append => return Request::Concat { mode: ConcatMode::Append, key, value, cas, quiet },
        Mode::Prepend => return Request::Concat { mode: ConcatMode::Prepend, key, value, cas, quiet },
    };
    Request::Store { mode, key, value, flags, expiration: item.expiration.as_raw(), cas, quiet }
}

fn counter(mode: CounterMode, key: Key<'_>, delta: Delta, quiet: bool) -> Request<'_> {
    let (initial, expiration) = match delta.initial {
        Some((initial, expiration)) => (initial, expiration.as_raw()),
        None => (0, DO_NOT_CREATE),
    };
    Request::Counter { mode, key, delta: delta.by, initial, expiration, cas: 0, quiet }
}

/// The answer to a request of the get family.
#[inline(always)]
pub(crate) fn value(response: Response<'_>) -> Result<Option<Value>, Error> {
    let header = *response.header();
    match header.status {
        Status::SUCCESS => {
            let flags = response.packet().flags().unwrap_or_default();
            Ok(Some(Value { data: response.into_value(), flags, cas: header.cas }))
        }
        Status::KEY_NOT_FOUND => Ok(None),
        status => Err(Error::refused(status)),
    }
}

/// As [`value`], lent.
#[inline(always)]
pub(crate) fn value_ref<'a>(response: &'a Response<'_>) -> Result<Option<ValueRef<'a>>, Error> {
    let packet = response.packet();
    match packet.status {
        Status::SUCCESS => {
            let flags = packet.flags().unwrap_or_default();
            Ok(Some(ValueRef { data: packet.value, flags, cas: packet.cas }))
        }
        Status::KEY_NOT_FOUND => Ok(None),
        status => Err(Error::refused(status)),
    }
}

/// The answer to a request that stores.
pub(crate) fn stored(response: &Response<'_>) -> Result<Stored, Error> {
    let header = response.header();
    match header.status {
        Status::SUCCESS => Ok(Stored::Stored { cas: header.cas }),
        Status::KEY_EXISTS => Ok(Stored::Exists),
        Status::KEY_NOT_FOUND => Ok(Stored::NotFound),
        Status::NOT_STORED => Ok(Stored::NotStored),
        status => Err(Error::refused(status)),
    }
}

/// The answer to an increment or decrement.
pub(crate) fn counted(response: &Response<'_>) -> Result<Option<u64>, Error> {
    match response.header().status {
        Status::SUCCESS => match response.packet().counter() {
            Some(counter) => Ok(Some(counter)),
            None => Err(Error::new(crate::ErrorKind::Refused, "the server's answer has no counter in it")),
        },
        Status::KEY_NOT_FOUND => Ok(None),
        status => Err(Error::refused(status)),
    }
}

/// The answer to a delete or touch.
pub(crate) fn found(response: &Response<'_>) -> Result<bool, Error> {
    match response.header().status {
        Status::SUCCESS => Ok(true),
        Status::KEY_NOT_FOUND => Ok(false),
        status => Err(Error::refused(status)),
    }
}

/// What a quiet command is told only when it did not do what it was to do.
pub(crate) fn quiet_refusal(reply: &Reply) -> Option<Error> {
    let status = match reply {
        Reply::Stored(Stored::Exists) => Status::KEY_EXISTS,
        Reply::Stored(Stored::NotStored) => Status::NOT_STORED,
        Reply::Stored(Stored::NotFound) | Reply::Counter(None) | Reply::Found(false) => Status::KEY_NOT_FOUND,
        _ => return None,
    };
    Some(Error::refused(status))
}

/// The answer to a command of [`Command`], by its opcode.
pub(crate) fn reply(response: Response<'_>) -> Result<Reply, Error> {
    match response.header().opcode.loud() {
        Opcode::GET | Opcode::GETK | Opcode::GAT | Opcode::GATK => value(response).map(Reply::Value),
        Opcode::INCREMENT | Opcode::DECREMENT => counted(&response).map(Reply::Counter),
        Opcode::DELETE | Opcode::TOUCH => found(&response).map(Reply::Found),
        _ => stored(&response).map(Reply::Stored),
    }
}
