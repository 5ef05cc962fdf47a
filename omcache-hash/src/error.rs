//! Why a distribution could not be built or was not known.

use alloc::boxed::Box;
use alloc::string::String;

/// Why [`Continuum::new`](crate::Continuum::new) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// More servers than a continuum holds ([`MAX_SERVERS`](crate::MAX_SERVERS)).
    #[error("{given} servers are more than the {most} that a continuum holds")]
    TooManyServers {
        /// How many were given.
        given: usize,
        /// How many are allowed.
        most: usize,
    },
    /// More points than a ring holds ([`MAX_POINTS`](crate::MAX_POINTS)).
    #[error("{given} points are more than the {most} that a ring holds")]
    TooManyPoints {
        /// How many were made.
        given: usize,
        /// How many are allowed.
        most: usize,
    },
    /// No server has a point: no key could be placed. All weights are 0, or a user's function made no point.
    #[error("distribution {distribution} gives no point to any of {servers} servers")]
    NoPoints {
        /// The distribution's name.
        distribution: String,
        /// How many servers there are.
        servers: usize,
    },
    /// A user's own distribution failed.
    #[error("distribution {distribution} failed")]
    Distribution {
        /// The distribution's name.
        distribution: String,
        /// What it said.
        source: Box<dyn core::error::Error + Send + Sync>,
    },
}

/// A distribution's name that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown distribution {name:?}")]
#[non_exhaustive]
pub struct UnknownDistribution {
    /// The name as it was given.
    pub name: String,
}

/// A hash function's name that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown hash function {name:?}")]
#[non_exhaustive]
pub struct UnknownHash {
    /// The name as it was given.
    pub name: String,
}
