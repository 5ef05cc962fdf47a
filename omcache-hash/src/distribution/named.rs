//! The distributions that this crate knows by name.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;
use core::str::FromStr;

use super::ketama::{self, Names};
use super::python_memcached::Slots;
use super::rendezvous::Nodes;
use super::{Distribution, Placed, Placement, check_count, dalli, spymemcached, twemproxy};
use crate::error::{BuildError, UnknownDistribution};
use crate::hash::HashFunction;
use crate::ring::Ring;
use crate::server::Server;

/// A distribution of libmemcached, of OMcache 0.3, or of another client.
///
/// "x86-64" below: libmemcached reads key bytes as `char`, which is signed there. These
/// distributions do that on every platform; those of OMcache 0.3 do not.
///
/// ```
/// use omcache_hash::Named;
///
/// let named: Named = "libmemcached_ketama_weighted".parse()?;
/// assert_eq!(named, Named::KetamaWeighted);
/// assert_eq!(Named::from_name("ketama_weighted"), Some(named));
/// assert_eq!(named.name(), "libmemcached_ketama_weighted");
/// # Ok::<(), omcache_hash::UnknownDistribution>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Named {
    /// `libmemcached_ketama`, `ketama`: libmemcached 1.0.10 and later, ketama, without weights.
    ///
    /// 100 points a server, each the one-at-a-time hash of `host-N` (at port 11211) or
    /// `host:port-N`, N from 0; keys by the same hash. Weights play no part: for what libmemcached
    /// does when it is given some, see [`as_libmemcached`](Self::as_libmemcached).
    #[default]
    Ketama,
    /// `libmemcached_ketama_weighted`, `ketama_weighted`: libmemcached, weighted ketama.
    ///
    /// The MD5 of a point's name gives four points; a server of average weight has 40 names, or 39
    /// where libmemcached's 32-bit float falls short of 40. Keys by the first word of their MD5. A
    /// weight of 0 counts as 1.
    KetamaWeighted,
    /// `libmemcached_ketama_pre1010`, `ketama_pre1010`: libmemcached before 1.0.10, ketama.
    ///
    /// The weighted ring, keys by one-at-a-time.
    KetamaPre1010,
    /// `ketama/HASH`: [`Ketama`](Self::Ketama) with points and keys by another function.
    KetamaBy(HashFunction),
    /// `ketama_weighted/HASH`: the weighted ring with keys by another function.
    KetamaWeightedBy(HashFunction),
    /// `modula/HASH`, and `modula` for one-at-a-time: libmemcached without ketama.
    ///
    /// The hash modulo the number of servers, in the given order. Weights play no part.
    Modula(HashFunction),
    /// `omcache03_ketama`: what OMcache 0.3 did under the name `libmemcached_ketama`, and what
    /// libmemcached does where `char` is unsigned: one-at-a-time with unsigned bytes.
    Omcache03Ketama,
    /// `omcache03_ketama_weighted`: what OMcache 0.3 did under the name
    /// `libmemcached_ketama_weighted`: always 40 names of four points, whatever the weight.
    Omcache03KetamaWeighted,
    /// `omcache03_ketama_pre1010`: what OMcache 0.3 did under the name
    /// `libmemcached_ketama_pre1010`: that ring, and one-at-a-time with unsigned bytes.
    Omcache03KetamaPre1010,
    /// `twemproxy_ketama`: twemproxy (nutcracker) with `distribution: ketama`, `hash: fnv1a_64`.
    ///
    /// The weighted ring on the server's given [name](Server::name), else on `host` at port 11211,
    /// else on `host:port`; a Unix socket's name is its path.
    TwemproxyKetama {
        /// The two characters of `hash_tag`: of a key that has both, only what is between them is
        /// hashed. As a name: `twemproxy_ketama/{}`.
        hash_tag: Option<[u8; 2]>,
    },
    /// `spymemcached_ketama`: spymemcached's `KetamaNodeLocator`.
    ///
    /// 40 names `host:port-N` a server, the port always, four points each; keys by MD5. Java names a
    /// socket address whose host name is resolved `name/address`: give that as host where it is used.
    SpymemcachedKetama,
    /// `dalli`: Ruby's Dalli.
    ///
    /// 160 points a server, by weight; SHA-1 points, CRC-32 keys; the greatest point at or below
    /// the key's hash.
    Dalli,
    /// `python_memcached`: 15 bits of the CRC-32 modulo a list in which each server stands as often
    /// as its weight.
    PythonMemcached,
    /// `pymemcache_rendezvous`: pymemcache's `RendezvousHash`, the default of its `HashClient`.
    ///
    /// A look-up takes time in proportion to the number of servers.
    PymemcacheRendezvous,
    /// `gomemcache_crc32`: `bradfitz/gomemcache`: CRC-32 modulo the number of servers.
    GomemcacheCrc32,
    /// `mcrouter_crc32`: mcrouter's `Crc32`. What follows `|#|` in a key does not count.
    McrouterCrc32,
    /// `mcrouter_ch3`: mcrouter's `Ch3` (furc_hash), its default. What follows `|#|` in a key does
    /// not count.
    McrouterCh3,
}

macro_rules! by_hash {
    ($function:expr, $prefix:literal) => {
        match $function {
            HashFunction::OneAtATime => concat!($prefix, "one_at_a_time"),
            HashFunction::OneAtATimeUnsigned => concat!($prefix, "one_at_a_time_unsigned"),
            HashFunction::Md5 => concat!($prefix, "md5"),
            HashFunction::Crc => concat!($prefix, "crc"),
            HashFunction::Fnv1_64 => concat!($prefix, "fnv1_64"),
            HashFunction::Fnv1a64 => concat!($prefix, "fnv1a_64"),
            HashFunction::Fnv1_32 => concat!($prefix, "fnv1_32"),
            HashFunction::Fnv1a32 => concat!($prefix, "fnv1a_32"),
            HashFunction::Murmur => concat!($prefix, "murmur"),
            HashFunction::Jenkins => concat!($prefix, "jenkins"),
            HashFunction::Murmur3 => concat!($prefix, "murmur3"),
        }
    };
}

const SINGLE: [Named; 14] = [
    Named::Ketama,
    Named::KetamaWeighted,
    Named::KetamaPre1010,
    Named::Omcache03Ketama,
    Named::Omcache03KetamaWeighted,
    Named::Omcache03KetamaPre1010,
    Named::TwemproxyKetama { hash_tag: None },
    Named::SpymemcachedKetama,
    Named::Dalli,
    Named::PythonMemcached,
    Named::PymemcacheRendezvous,
    Named::GomemcacheCrc32,
    Named::McrouterCrc32,
    Named::McrouterCh3,
];

impl Named {
    /// Every distribution, with every hash function; twemproxy's without a hash tag.
    pub fn all() -> impl Iterator<Item = Self> {
        let by_hash = [Self::KetamaBy, Self::KetamaWeightedBy, Self::Modula];
        SINGLE.into_iter().chain(by_hash.into_iter().flat_map(|kind| HashFunction::ALL.into_iter().map(kind)))
    }

    /// The distribution of that name; `None` for an unknown one. Names are exact, in lower case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(named) = SINGLE.into_iter().find(|named| named.name() == name) {
            return Some(named);
        }
        match name {
            "ketama" => return Some(Self::Ketama),
            "ketama_weighted" => return Some(Self::KetamaWeighted),
            "ketama_pre1010" => return Some(Self::KetamaPre1010),
            "modula" => return Some(Self::Modula(HashFunction::OneAtATime)),
            _ => {}
        }
        let (kind, parameter) = name.split_once('/')?;
        match kind {
            "ketama" => HashFunction::from_name(parameter).map(Self::KetamaBy),
            "ketama_weighted" => HashFunction::from_name(parameter).map(Self::KetamaWeightedBy),
            "modula" => HashFunction::from_name(parameter).map(Self::Modula),
            "twemproxy_ketama" => {
                let mut characters = parameter.chars().map(|c| u8::try_from(c).ok());
                match (characters.next(), characters.next(), characters.next()) {
                    (Some(Some(open)), Some(Some(close)), None) => {
                        Some(Self::TwemproxyKetama { hash_tag: Some([open, close]) })
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The name, the longest where there are several; without the hash tag, which [`Display`](fmt::Display)
    /// writes too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ketama => "libmemcached_ketama",
            Self::KetamaWeighted => "libmemcached_ketama_weighted",
            Self::KetamaPre1010 => "libmemcached_ketama_pre1010",
            Self::KetamaBy(function) => by_hash!(function, "ketama/"),
            Self::KetamaWeightedBy(function) => by_hash!(function, "ketama_weighted/"),
            Self::Modula(function) => by_hash!(function, "modula/"),
            Self::Omcache03Ketama => "omcache03_ketama",
            Self::Omcache03KetamaWeighted => "omcache03_ketama_weighted",
            Self::Omcache03KetamaPre1010 => "omcache03_ketama_pre1010",
            Self::TwemproxyKetama { .. } => "twemproxy_ketama",
            Self::SpymemcachedKetama => "spymemcached_ketama",
            Self::Dalli => "dalli",
            Self::PythonMemcached => "python_memcached",
            Self::PymemcacheRendezvous => "pymemcache_rendezvous",
            Self::GomemcacheCrc32 => "gomemcache_crc32",
            Self::McrouterCrc32 => "mcrouter_crc32",
            Self::McrouterCh3 => "mcrouter_ch3",
        }
    }

    /// What libmemcached really does under this name with these servers.
    ///
    /// A server of weight over 1 makes libmemcached turn to the weighted ring, while keys keep their
    /// hash: [`Ketama`](Self::Ketama) becomes [`KetamaPre1010`](Self::KetamaPre1010), and
    /// `ketama/HASH` becomes `ketama_weighted/HASH`. Everything else stays.
    ///
    /// ```
    /// use omcache_hash::{Named, Server};
    ///
    /// let servers = [Server::new("a", "11211"), Server::new("b", "11211").with_weight(2)];
    /// assert_eq!(Named::Ketama.as_libmemcached(&servers), Named::KetamaPre1010);
    /// assert_eq!(Named::Ketama.as_libmemcached(&servers[..1]), Named::Ketama);
    /// ```
    #[must_use]
    pub fn as_libmemcached(self, servers: &[Server<'_>]) -> Self {
        if servers.iter().all(|server| server.weight <= 1) {
            return self;
        }
        match self {
            Self::Ketama => Self::KetamaPre1010,
            Self::KetamaBy(function) => Self::KetamaWeightedBy(function).simplest(),
            other => other,
        }
    }

    /// The same distribution under its own name, where a parameter makes it one that has one.
    pub(crate) fn simplest(self) -> Self {
        match self {
            Self::KetamaBy(HashFunction::OneAtATime) => Self::Ketama,
            Self::KetamaBy(HashFunction::OneAtATimeUnsigned) => Self::Omcache03Ketama,
            Self::KetamaWeightedBy(HashFunction::Md5) => Self::KetamaWeighted,
            Self::KetamaWeightedBy(HashFunction::OneAtATime) => Self::KetamaPre1010,
            other => other,
        }
    }

    /// The distribution over these servers, of which there is at least one.
    pub(crate) fn place(self, servers: &[Server<'_>]) -> Result<Placed, BuildError> {
        check_count(servers)?;
        let keys_by = |ring, function| match function {
            HashFunction::OneAtATime => Placed::OneAtATime(ring),
            _ => Placed::Ring(ring, function),
        };
        let plain = |function| -> Result<Placed, BuildError> {
            Ok(keys_by(ketama::plain(servers, function)?, function))
        };
        let weighted = |names, function| -> Result<Placed, BuildError> {
            Ok(keys_by(ketama::weighted(servers, names)?, function))
        };
        let count = u32::try_from(servers.len()).unwrap_or(u32::MAX);
        let placed = match self {
            Self::Ketama => plain(HashFunction::OneAtATime)?,
            Self::KetamaBy(function) => plain(function)?,
            Self::Omcache03Ketama => plain(HashFunction::OneAtATimeUnsigned)?,
            Self::KetamaWeighted => weighted(Names::Libmemcached, HashFunction::Md5)?,
            Self::KetamaPre1010 => weighted(Names::Libmemcached, HashFunction::OneAtATime)?,
            Self::KetamaWeightedBy(function) => weighted(Names::Libmemcached, function)?,
            Self::Omcache03KetamaWeighted => weighted(Names::Equal, HashFunction::Md5)?,
            Self::Omcache03KetamaPre1010 => weighted(Names::Equal, HashFunction::OneAtATimeUnsigned)?,
            Self::Modula(function) => Placed::Modula(function, count),
            Self::TwemproxyKetama { hash_tag } => {
                Placed::Twemproxy(twemproxy::points(servers).into_ring()?, hash_tag)
            }
            Self::SpymemcachedKetama => {
                let ring: Ring = spymemcached::ring(servers)?;
                Placed::Ring(ring, HashFunction::Md5)
            }
            Self::Dalli => Placed::Dalli(dalli::points(servers).into_ring()?),
            Self::PythonMemcached => Placed::PythonMemcached(Slots::new(servers)),
            Self::PymemcacheRendezvous => Placed::Rendezvous(Nodes::new(servers)),
            Self::GomemcacheCrc32 => Placed::Gomemcache(count),
            Self::McrouterCrc32 => Placed::McrouterCrc32(count),
            Self::McrouterCh3 => Placed::McrouterCh3(count),
        };
        if placed.is_empty() {
            return Err(BuildError::NoPoints { distribution: self.to_string(), servers: servers.len() });
        }
        Ok(if servers.len() == 1 { Placed::One } else { placed })
    }
}

impl Distribution for Named {
    fn name(&self) -> &str {
        Named::name(*self)
    }

    fn build(&self, servers: &[Server<'_>]) -> Result<Box<dyn Placement>, BuildError> {
        Ok(Box::new(self.place(servers)?))
    }

    fn as_named(&self) -> Option<Named> {
        Some(*self)
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TwemproxyKetama { hash_tag: Some([open, close]) } => {
                write!(f, "{}/{}{}", self.name(), char::from(open), char::from(close))
            }
            _ => f.pad(self.name()),
        }
    }
}

impl FromStr for Named {
    type Err = UnknownDistribution;

    fn from_str(name: &str) -> Result<Self, UnknownDistribution> {
        Self::from_name(name).ok_or_else(|| UnknownDistribution { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::Named;
    use crate::hash::HashFunction;
    use alloc::string::ToString;

    #[test]
    fn every_name_leads_back() {
        for named in Named::all() {
            assert_eq!(Named::from_name(named.name()), Some(named));
            assert_eq!(named.to_string().parse(), Ok(named));
        }
    }

    #[test]
    fn a_hash_tag_is_two_characters() {
        let tagged = Named::TwemproxyKetama { hash_tag: Some(*b"{}") };
        assert_eq!(Named::from_name("twemproxy_ketama/{}"), Some(tagged));
        assert_eq!(tagged.to_string(), "twemproxy_ketama/{}");
        for wrong in ["twemproxy_ketama/", "twemproxy_ketama/{", "twemproxy_ketama/{}}"] {
            assert_eq!(Named::from_name(wrong), None);
        }
    }

    #[test]
    fn unknown_names_are_told() {
        for wrong in ["", "Ketama", "ketama/", "ketama/md4", "modula/hsieh", "dalli/md5"] {
            assert_eq!(wrong.parse::<Named>().map_err(|error| error.name).err().as_deref(), Some(wrong));
        }
    }

    #[test]
    fn parameters_name_what_has_a_name() {
        assert_eq!(Named::KetamaBy(HashFunction::OneAtATime).simplest(), Named::Ketama);
        assert_eq!(Named::KetamaBy(HashFunction::Md5).simplest(), Named::KetamaBy(HashFunction::Md5));
    }
}
