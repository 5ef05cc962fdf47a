//! The items: values with flags, version and expiration, and what a command does to them.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use omcache_proto::{ConcatMode, CounterMode, StoreMode};

use super::number;

/// What memcached 1.6 needs for an item besides key, value and flags, in bytes.
const OVERHEAD: usize = 59;

/// What it needs for flags that are not 0, in bytes.
const FLAGS: usize = 4;

/// Up to this many seconds an expiration counts from now, beyond it from 1970.
const MAX_RELATIVE: u32 = 30 * 24 * 60 * 60;

/// The expiration with which a counter is not created.
const DO_NOT_CREATE: u32 = u32::MAX;

/// A value and what is stored beside it. Times are since 1970.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) value: Bytes,
    pub(super) flags: u32,
    pub(super) cas: u64,
    /// `None`: never.
    pub(super) expires: Option<Duration>,
    stored: Duration,
}

/// Why a command did not do what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NotFound,
    Exists,
    TooLarge,
    NotStored,
    NonNumeric,
}

/// What to store with [`Store::set`].
#[derive(Debug, Clone, Copy)]
pub(super) struct NewItem<'a> {
    pub(super) value: &'a [u8],
    pub(super) flags: u32,
    /// As in the request.
    pub(super) expiration: u32,
}

/// How [`Store::count`] counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    pub(super) mode: CounterMode,
    pub(super) delta: u64,
    pub(super) initial: u64,
    /// As in the request.
    pub(super) expiration: u32,
}

/// A number after counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) number: u64,
    pub(super) cas: u64,
    /// Whether the item was absent before.
    pub(super) created: bool,
}

/// The items of a server. It reads no clock: `now` is the time since 1970.
#[derive(Debug)]
pub(super) struct Store {
    items: HashMap<Box<[u8]>, Item>,
    last_cas: u64,
    /// When a delayed FLUSH is due.
    flush_at: Option<Duration>,
    max_item_size: usize,
    /// How many items were ever stored.
    stored: u64,
}

impl Store {
    /// `max_item_size` is memcached's `-I`, in bytes: key, value and memcached's own overhead.
    pub(super) fn new(max_item_size: usize) -> Self {
        Self { items: HashMap::new(), last_cas: 0, flush_at: None, max_item_size, stored: 0 }
    }

    pub(super) const fn max_item_size(&self) -> usize {
        self.max_item_size
    }

    /// How many items were ever stored.
    pub(super) const fn stored(&self) -> u64 {
        self.stored
    }

    /// How many items there are, and their size as memcached counts it, in bytes.
    pub(super) fn size(&mut self, now: Duration) -> (usize, usize) {
        self.flush_if_due(now);
        self.items.retain(|_, item| !item.is_expired(now));
        let bytes = self.items.iter().map(|(key, item)| item_size(key.len(), item.value.len(), item.flags));
        (self.items.len(), bytes.sum())
    }

    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.flush_at = None;
    }

    pub(super) fn get(&mut self, key: &[u8], now: Duration) -> Option<&Item> {
        self.live(key, now).map(|item| &*item)
    }

    pub(super) fn touch(&mut self, key: &[u8], expiration: u32, now: Duration) -> Option<&Item> {
        let item = self.live(key, now)?;
        item.expires = expires_at(expiration, now);
        Some(item)
    }

    /// SET, ADD and REPLACE. With a `cas` all three are the same to memcached: store over that version.
    pub(super) fn set(
        &mut self,
        mode: StoreMode,
        key: &[u8],
        new: NewItem<'_>,
        cas: u64,
        now: Duration,
    ) -> Result<u64, Refusal> {
        if item_size(key.len(), new.value.len(), new.flags) > self.max_item_size {
            return Err(self.too_large(mode, key));
        }
        match self.live(key, now) {
            Some(item) if cas != 0 && item.cas != cas => return Err(Refusal::Exists),
            Some(_) if cas == 0 && mode == StoreMode::Add => return Err(Refusal::Exists),
            None if cas != 0 || mode == StoreMode::Replace => return Err(Refusal::NotFound),
            _ => {}
        }
        let NewItem { value, flags, expiration } = new;
        let expires = expires_at(expiration, now);
        Ok(self.put(key, Bytes::copy_from_slice(value), flags, expires, now))
    }

    /// Refuses a value that is too large. A SET takes the old value away, so that it is not taken for the new one.
    pub(super) fn too_large(&mut self, mode: StoreMode, key: &[u8]) -> Refusal {
        if mode == StoreMode::Set {
            self.items.remove(key);
        }
        Refusal::TooLarge
    }

    /// Stores whatever the size and what is there.
    pub(super) fn put(
        &mut self,
        key: &[u8],
        value: Bytes,
        flags: u32,
        expires: Option<Duration>,
        now: Duration,
    ) -> u64 {
        self.flush_if_due(now);
        let cas = self.next_cas();
        self.stored = self.stored.saturating_add(1);
        self.items.insert(key.into(), Item { value, flags, cas, expires, stored: now });
        cas
    }

    /// APPEND and PREPEND.
    pub(super) fn concat(
        &mut self,
        mode: ConcatMode,
        key: &[u8],
        value: &[u8],
        cas: u64,
        now: Duration,
    ) -> Result<u64, Refusal> {
        let max_item_size = self.max_item_size;
        if item_size(key.len(), value.len(), 0) > max_item_size {
            return Err(Refusal::TooLarge);
        }
        let item = self.live(key, now).ok_or(Refusal::NotStored)?;
        if cas != 0 && item.cas != cas {
            return Err(Refusal::Exists);
        }
        if item_size(key.len(), item.value.len().saturating_add(value.len()), item.flags) > max_item_size {
            return Err(Refusal::NotStored);
        }
        let whole = match mode {
            ConcatMode::Append => [&item.value, value].concat(),
            ConcatMode::Prepend => [value, &item.value].concat(),
        };
        let (flags, expires) = (item.flags, item.expires);
        Ok(self.put(key, whole.into(), flags, expires, now))
    }

    /// INCREMENT and DECREMENT.
    pub(super) fn count(
        &mut self,
        key: &[u8],
        count: Count,
        cas: u64,
        now: Duration,
    ) -> Result<Counted, Refusal> {
        let next_cas = self.last_cas.wrapping_add(1);
        let Some(item) = self.live(key, now) else {
            if count.expiration == DO_NOT_CREATE {
                return Err(Refusal::NotFound);
            }
            let number = count.initial;
            let expires = expires_at(count.expiration, now);
            let cas = self.put(key, number.to_string().into(), 0, expires, now);
            return Ok(Counted { number, cas, created: true });
        };
        if cas != 0 && item.cas != cas {
            return Err(Refusal::Exists);
        }
        let old = number::parse(&item.value).ok_or(Refusal::NonNumeric)?;
        let number = match count.mode {
            CounterMode::Increment => old.wrapping_add(count.delta),
            CounterMode::Decrement => old.saturating_sub(count.delta),
        };
        // memcached writes over the old digits and fills the rest with spaces.
        item.value = format!("{number:<width$}", width = item.value.len()).into();
        item.cas = next_cas;
        self.last_cas = next_cas;
        Ok(Counted { number, cas: next_cas, created: false })
    }

    pub(super) fn delete(&mut self, key: &[u8], cas: u64, now: Duration) -> Result<(), Refusal> {
        let item = self.live(key, now).ok_or(Refusal::NotFound)?;
        if cas != 0 && item.cas != cas {
            return Err(Refusal::Exists);
        }
        self.items.remove(key);
        Ok(())
    }

    /// FLUSH. It takes the place of an earlier one that is not yet due.
    pub(super) fn flush(&mut self, delay: u32, now: Duration) {
        self.flush_if_due(now);
        self.flush_at = expires_at(delay, now);
        match self.flush_at {
            // Takes a version number, as the real one does.
            None => {
                self.next_cas();
                self.items.clear();
            }
            // memcached does nothing for a time that has passed.
            Some(at) if at <= now => self.flush_at = None,
            Some(_) => {}
        }
    }

    fn next_cas(&mut self) -> u64 {
        self.last_cas = self.last_cas.wrapping_add(1);
        self.last_cas
    }

    /// The item, if it is there, and neither expired nor flushed.
    fn live(&mut self, key: &[u8], now: Duration) -> Option<&mut Item> {
        self.flush_if_due(now);
        if self.items.get(key)?.is_expired(now) {
            self.items.remove(key);
        }
        self.items.get_mut(key)
    }

    fn flush_if_due(&mut self, now: Duration) {
        if let Some(at) = self.flush_at.filter(|at| *at <= now) {
            self.items.retain(|_, item| item.stored >= at);
            self.flush_at = None;
        }
    }
}

impl Item {
    fn is_expired(&self, now: Duration) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// The moment that the protocol's number means, `None` for 0.
fn expires_at(expiration: u32, now: Duration) -> Option<Duration> {
    let seconds = Duration::from_secs(u64::from(expiration));
    match expiration {
        0 => None,
        1..=MAX_RELATIVE => Some(now.saturating_add(seconds)),
        _ => Some(seconds),
    }
}

/// The size of an item as memcached counts it, in bytes.
fn item_size(key: usize, value: usize, flags: u32) -> usize {
    let flags = if flags == 0 { 0 } else { FLAGS };
    key.saturating_add(value).saturating_add(OVERHEAD + flags)
}

#[cfg(test)]
mod tests;
