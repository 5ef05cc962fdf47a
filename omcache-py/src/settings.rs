//! What can be set on a client, kept apart from the driver so that a forked child can begin anew.

use std::time::Duration;

use omcache::driver::conn::{Config, Server, parse_server_list};
use omcache::driver::hash::Named;

/// The settings of a client.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) servers: Vec<Server>,
    pub(crate) distribution: Named,
    pub(crate) config: Config,
    pub(crate) buffering: bool,
    /// Whether the client was freed, which a forked child's is too.
    pub(crate) freed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            distribution: Named::Ketama,
            config: Config::default(),
            buffering: false,
            freed: false,
        }
    }
}

/// One of the times that can be set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Connect,
    Reconnect,
    Dead,
}

impl Limit {
    fn of(self, config: &mut Config) -> &mut Duration {
        match self {
            Self::Connect => &mut config.connect_timeout,
            Self::Reconnect => &mut config.reconnect_timeout,
            Self::Dead => &mut config.dead_timeout,
        }
    }

    pub(crate) fn get(self, settings: &Settings) -> u64 {
        let mut config = settings.config.clone();
        u64::try_from(self.of(&mut config).as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn set(self, settings: &mut Settings, msec: u64) {
        *self.of(&mut settings.config) = Duration::from_millis(msec);
    }
}

/// One of the sizes that can be set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    Send,
    Receive,
}

impl Size {
    fn of(self, config: &mut Config) -> &mut usize {
        match self {
            Self::Send => &mut config.send_limit,
            Self::Receive => &mut config.receive_limit,
        }
    }

    pub(crate) fn get(self, settings: &Settings) -> usize {
        *self.of(&mut settings.config.clone())
    }

    pub(crate) fn set(self, settings: &mut Settings, bytes: usize) {
        *self.of(&mut settings.config) = bytes;
    }
}

/// Servers from a comma-separated list, or from a list of single ones, each with a weight.
///
/// # Errors
/// What can't be read, as text.
pub(crate) fn parse_servers(entries: &[(String, u32)], sorted: bool) -> Result<Vec<Server>, String> {
    let mut servers = Vec::new();
    for (text, weight) in entries {
        let parsed = parse_server_list(text).map_err(|error| error.to_string())?;
        servers.extend(parsed.into_iter().map(|server| server.with_weight(*weight)));
    }
    if sorted {
        servers.sort_by(|a, b| (a.host(), a.port()).cmp(&(b.host(), b.port())));
    }
    Ok(servers)
}
