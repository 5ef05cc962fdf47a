//! What the server counts, and how STAT tells it.

use std::process;
use std::time::Duration;

use bytes::Bytes;
use omcache_proto::CounterMode;

use super::place::Place;
use super::stat_names::{GENERAL, ITEMS, SETTINGS, SLABS};
use super::store::Refusal;

/// Statistics by name.
type Named = Vec<(Bytes, Bytes)>;

/// The groups that STAT can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    General,
    Settings,
    Items,
    Slabs,
    Sizes,
    Detail,
    /// A group in which there is nothing to tell.
    Empty,
    Reset,
}

/// What is known outside of the commands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    /// Since 1970.
    pub(super) now: Duration,
    pub(super) uptime: Duration,
    /// Open now.
    pub(super) connections: u64,
    /// Since the start.
    pub(super) accepted: u64,
    pub(super) place: &'a Place,
}

macro_rules! counts {
    ($($name:ident)*) => {
        /// Counters that STAT tells under memcached's names.
        #[derive(Debug, Clone, Default)]
        pub(super) struct Counts {
            $($name: u64,)*
            /// Items stored up to the last reset.
            stored_before: u64,
        }

        impl Counts {
            fn named(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

counts! {
    cmd_get cmd_set cmd_flush cmd_touch get_hits get_misses delete_hits delete_misses incr_hits incr_misses
    decr_hits decr_misses cas_hits cas_misses cas_badval touch_hits touch_misses
}

/// Adds one to the first counter or to the second.
fn hit_or_miss(hit: bool, hits: &mut u64, misses: &mut u64) {
    let counter = if hit { hits } else { misses };
    *counter = counter.wrapping_add(1);
}

impl Counts {
    pub(super) fn got(&mut self, hit: bool) {
        self.cmd_get = self.cmd_get.wrapping_add(1);
        hit_or_miss(hit, &mut self.get_hits, &mut self.get_misses);
    }

    pub(super) fn touched(&mut self, hit: bool) {
        self.cmd_touch = self.cmd_touch.wrapping_add(1);
        hit_or_miss(hit, &mut self.touch_hits, &mut self.touch_misses);
    }

    /// `cas` is the version that was asked for, 0 where memcached does not count it.
    pub(super) fn stored(&mut self, stored: Result<u64, Refusal>, cas: u64) {
        // A value too large for any item does not come as far as being counted.
        if stored == Err(Refusal::TooLarge) {
            return;
        }
        self.cmd_set = self.cmd_set.wrapping_add(1);
        if cas == 0 {
            return;
        }
        let counter = match stored {
            Ok(_) => &mut self.cas_hits,
            Err(Refusal::NotFound) => &mut self.cas_misses,
            Err(_) => &mut self.cas_badval,
        };
        *counter = counter.wrapping_add(1);
    }

    pub(super) fn counted(&mut self, mode: CounterMode, hit: bool) {
        match mode {
            CounterMode::Increment => hit_or_miss(hit, &mut self.incr_hits, &mut self.incr_misses),
            CounterMode::Decrement => hit_or_miss(hit, &mut self.decr_hits, &mut self.decr_misses),
        }
    }

    pub(super) fn deleted(&mut self, deleted: Result<(), Refusal>) {
        // Another version there is neither to memcached.
        if deleted != Err(Refusal::Exists) {
            hit_or_miss(deleted.is_ok(), &mut self.delete_hits, &mut self.delete_misses);
        }
    }

    pub(super) fn flushed(&mut self) {
        self.cmd_flush = self.cmd_flush.wrapping_add(1);
    }

    /// Begins anew; `stored` is how many items were ever stored.
    pub(super) fn reset(&mut self, stored: u64) {
        *self = Self { stored_before: stored, ..Self::default() };
    }

    /// The general statistics; `bytes` is the size of all items, `stored` how many were ever stored.
    pub(super) fn general(
        &self,
        facts: &Facts<'_>,
        version: &Bytes,
        items: usize,
        bytes: usize,
        stored: u64,
    ) -> Named {
        let value = |name| match name {
            "pid" => process::id().to_string().into(),
            "uptime" => facts.uptime.as_secs().to_string().into(),
            "time" => facts.now.as_secs().to_string().into(),
            "version" => version.clone(),
            "libevent" => Bytes::from_static(b"none"),
            "pointer_size" => usize::BITS.to_string().into(),
            "rusage_user" | "rusage_system" => Bytes::from_static(b"0.000000"),
            "curr_connections" => facts.connections.to_string().into(),
            "total_connections" => facts.accepted.to_string().into(),
            "accepting_conns" => Bytes::from_static(b"1"),
            "bytes" => bytes.to_string().into(),
            "curr_items" => items.to_string().into(),
            "total_items" => stored.wrapping_sub(self.stored_before).to_string().into(),
            _ => self.named(name).unwrap_or(0).to_string().into(),
        };
        GENERAL
            .split_ascii_whitespace()
            .map(|name| (Bytes::from_static(name.as_bytes()), value(name)))
            .collect()
    }

    /// All items are of class 1; there is none where there is no item.
    pub(super) fn items(&self, items: usize, bytes: usize) -> Named {
        if items == 0 {
            return Vec::new();
        }
        let value = |name| match name {
            "number" | "number_hot" => items,
            "mem_requested" => bytes,
            _ => 0,
        };
        let named = |name| (format!("items:1:{name}").into(), value(name).to_string().into());
        ITEMS.split_ascii_whitespace().map(named).collect()
    }

    /// As [`items`](Self::items), with the totals.
    pub(super) fn slabs(&self, items: usize) -> Named {
        let class = usize::from(items > 0);
        let value = |name| match name {
            "total_chunks" | "used_chunks" => items.to_string(),
            "total_pages" => class.to_string(),
            _ => self.named(name).unwrap_or(0).to_string(),
        };
        let names = if items > 0 { SLABS } else { "" };
        let class_1 = names.split_ascii_whitespace();
        let mut named: Named = class_1.map(|name| (format!("1:{name}").into(), value(name).into())).collect();
        named.push(("active_slabs".into(), class.to_string().into()));
        named.push(("total_malloced".into(), "0".into()));
        named
    }
}

impl Facts<'_> {
    /// The settings.
    pub(super) fn settings(&self, max_item_size: usize) -> Named {
        let (inter, path) = match self.place {
            Place::Tcp { address, .. } => (address.ip().to_string(), "NULL".to_owned()),
            Place::Unix(path) => ("NULL".to_owned(), path.display().to_string()),
        };
        let value = |name, usual| match name {
            "tcpport" => self.place.port().to_string().into(),
            "inter" => inter.clone().into(),
            "domain_socket" => path.clone().into(),
            "item_size_max" => max_item_size.to_string().into(),
            _ => Bytes::from_static(usual),
        };
        SETTINGS
            .iter()
            .map(|(name, usual)| (Bytes::from_static(name.as_bytes()), value(*name, usual.as_bytes())))
            .collect()
    }
}

impl Group {
    /// The group of this name. As memcached does, it looks at no more of some names than their beginning.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"" => Self::General,
            b"items" => Self::Items,
            b"slabs" => Self::Slabs,
            b"sizes" => Self::Sizes,
            _ if name.starts_with(b"reset") => Self::Reset,
            _ if name.starts_with(b"settings") => Self::Settings,
            _ if name.starts_with(b"detail dump") => Self::Detail,
            _ if name.starts_with(b"detail on") || name.starts_with(b"detail off") => Self::Empty,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn every_counter_has_its_place() {
        for name in ["cmd_get", "cas_badval", "touch_misses", "decr_hits"] {
            assert!(GENERAL.split_ascii_whitespace().any(|listed| listed == name), "{name}");
            assert_eq!(Counts::default().named(name), Some(0), "{name}");
        }
        assert_eq!(Counts::default().named("evictions"), None);
    }

    #[test]
    fn groups_are_named_as_memcached_takes_them() {
        for (name, group) in [
            ("", Group::General),
            ("settings", Group::Settings),
            ("settings and more", Group::Settings),
            ("items", Group::Items),
            ("resetting", Group::Reset),
            ("detail on", Group::Empty),
            ("detail dump", Group::Detail),
        ] {
            assert_eq!(Group::named(name.as_bytes()), Some(group), "{name}");
        }
        for name in ["item", "items:1", "detail", "conns", "\0"] {
            assert_eq!(Group::named(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn a_reset_begins_anew() {
        let mut counts = Counts::default();
        counts.got(true);
        counts.stored(Ok(1), 0);
        counts.reset(5);
        let facts = Facts {
            now: Duration::ZERO,
            uptime: Duration::ZERO,
            connections: 1,
            accepted: 1,
            place: &Place::Unix(PathBuf::new()),
        };
        let named = counts.general(&facts, &Bytes::new(), 0, 0, 7);
        let value = |name: &str| {
            let (_, value) = named.iter().find(|(listed, _)| listed == name).expect(name);
            String::from_utf8_lossy(value).into_owned()
        };
        assert_eq!(
            (value("cmd_get"), value("cmd_set"), value("total_items")),
            ("0".into(), "0".into(), "2".into())
        );
    }
}
