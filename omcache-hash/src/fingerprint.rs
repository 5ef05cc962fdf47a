//! The fingerprint of a continuum; what it is made of stands at [`Continuum::fingerprint`].

use alloc::vec::Vec;

use crate::continuum::Continuum;
use crate::distribution::Decimal;
use crate::hash::md5_words;
use crate::server::Server;

/// Keys that a user's own distribution is asked for.
const PROBES: u32 = 64;

pub(crate) fn of(continuum: &Continuum, servers: &[Server<'_>]) -> u64 {
    let mut account = Account(Vec::new());
    account.text("omcache-hash/1");
    account.text(continuum.distribution());
    account.number(continuum.len());
    for server in servers {
        account.text(server.host);
        account.text(server.port);
        account.number(server.weight as usize);
        account.number(usize::from(server.name.is_some()));
        account.text(server.name.unwrap_or_default());
    }
    if continuum.is_own() {
        for probe in 0..PROBES {
            let server = continuum.server(Decimal::new(probe).digits());
            account.number(server.unwrap_or_default());
        }
    }
    let [first, second, ..] = md5_words(&account.0);
    u64::from(second) << 32 | u64::from(first)
}

struct Account(Vec<u8>);

impl Account {
    // Texts and lists of 4 GiB are out of reach, so the cut is none.
    fn number(&mut self, number: usize) {
        self.0.extend_from_slice(&(number as u32).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }
}
