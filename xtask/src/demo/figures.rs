//! What a log comes to, for the keys of each server.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use omcache::ErrorKind;

use super::load::{Ended, Outcome};
use super::screen::{Screen, count, time};
use super::servers;

/// The commands on the keys of one server.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) reads: usize,
    pub(super) hits: usize,
    pub(super) misses: usize,
    pub(super) stored: usize,
    pub(super) failed: usize,
    pub(super) wrong: usize,
    /// The longest time that any command took, whatever its outcome.
    pub(super) slowest: Duration,
}

impl Figures {
    /// The figures for the keys of each server; `homes` has the server of each key.
    pub(super) fn of(log: &[Ended], homes: &[usize]) -> [Self; servers::COUNT] {
        let mut all: [Self; servers::COUNT] = Default::default();
        for ended in log {
            let Some(figures) = homes.get(ended.key).and_then(|&home| all.get_mut(home)) else { continue };
            figures.reads += usize::from(ended.read);
            figures.slowest = figures.slowest.max(ended.took);
            *match ended.outcome {
                Outcome::Hit => &mut figures.hits,
                Outcome::Miss => &mut figures.misses,
                Outcome::Stored => &mut figures.stored,
                Outcome::Failed(_) => &mut figures.failed,
                Outcome::Wrong => &mut figures.wrong,
            } += 1;
        }
        all
    }

    /// Shows them, with what is the matter with the server at `at`.
    pub(super) fn show(all: &[Self; servers::COUNT], screen: &Screen, at: usize, state: &str) {
        let rows = all.iter().enumerate().map(|(server, figures)| {
            let state = if server == at { state } else { "up" };
            vec![
                format!("{} ({state})", servers::NAMES[server]),
                count(figures.reads),
                count(figures.hits),
                count(figures.misses),
                count(figures.stored),
                count(figures.failed),
                time(figures.slowest),
            ]
        });
        let header = ["keys of", "reads", "found", "missing", "stored again", "failed", "slowest"];
        screen.table(&header, rows, &[1, 2, 3, 4, 5, 6]);
    }
}

/// The failures by their kind, in words.
pub(super) fn failures(log: &[Ended]) -> Vec<String> {
    let mut kinds: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for ended in log {
        if let Outcome::Failed(kind) = ended.outcome {
            kinds.entry(explained(kind)).or_default()[usize::from(ended.read)] += 1;
        }
    }
    let some = |number: usize, one: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{} {one}s", count(number))),
    };
    let lines = kinds.into_iter().map(|(kind, [stores, reads])| {
        let what: Vec<_> = [some(reads, "read"), some(stores, "store")].into_iter().flatten().collect();
        format!("{}, {kind}", what.join(" and "))
    });
    lines.collect()
}

fn explained(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unknown => "sent, but the connection ended before the answer (ErrorKind::Unknown)",
        ErrorKind::NotSent => "not sent, as the connection failed (ErrorKind::NotSent)",
        ErrorKind::NoServers => "not sent, as no server was left (ErrorKind::NoServers)",
        ErrorKind::SendBufferFull => "not sent, as too much waited (ErrorKind::SendBufferFull)",
        ErrorKind::Timeout => "with no answer in time (ErrorKind::Timeout)",
        _ => "for another reason",
    }
}

/// When the first of these commands was answered, counted from `since`.
pub(super) fn first(log: &[Ended], since: Instant, which: impl Fn(&Ended) -> bool) -> Option<Duration> {
    let first = log.iter().filter(|ended| which(ended)).map(Ended::at).min()?;
    Some(first.saturating_duration_since(since))
}

/// Follows a log, and counts the different keys that something is true of.
#[derive(Default)]
pub(super) struct Counted {
    looked_at: usize,
    keys: HashSet<usize>,
}

impl Counted {
    /// How many keys it is true of, with what the log has now.
    pub(super) fn follow(&mut self, log: &[Ended], which: impl Fn(&Ended) -> bool) -> usize {
        let new = log.get(self.looked_at..).unwrap_or_default();
        self.keys.extend(new.iter().filter(|ended| which(ended)).map(|ended| ended.key));
        self.looked_at = log.len();
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(key: usize, read: bool, outcome: Outcome, milliseconds: u64) -> Ended {
        let took = Duration::from_millis(milliseconds);
        Ended { key, server: Some(0), took, begun: Instant::now(), read, outcome }
    }

    #[test]
    fn figures_are_kept_apart_by_the_server_of_the_key() {
        let log = [
            ended(0, true, Outcome::Hit, 1),
            ended(1, true, Outcome::Miss, 7),
            ended(1, false, Outcome::Stored, 3),
            ended(2, true, Outcome::Failed(ErrorKind::Unknown), 9),
        ];
        let [a, b, c] = Figures::of(&log, &[0, 1, 1]);
        assert_eq!((a.reads, a.hits, a.slowest), (1, 1, Duration::from_millis(1)));
        assert_eq!((b.reads, b.misses, b.stored, b.failed), (2, 1, 1, 1));
        assert_eq!((b.slowest, c.reads), (Duration::from_millis(9), 0));
    }

    #[test]
    fn failures_are_counted_by_kind() {
        let failed = Outcome::Failed(ErrorKind::Unknown);
        let log = [ended(0, true, failed, 1), ended(1, false, failed, 1), ended(2, true, Outcome::Hit, 1)];
        let lines = failures(&log);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("1 read and 1 store, sent"), "{lines:?}");
    }

    #[test]
    fn a_key_counts_once() {
        let mut counted = Counted::default();
        let mut log = vec![ended(4, true, Outcome::Hit, 1), ended(4, true, Outcome::Hit, 1)];
        assert_eq!(counted.follow(&log, |ended| ended.read), 1);
        log.push(ended(5, true, Outcome::Hit, 1));
        log.push(ended(6, false, Outcome::Stored, 1));
        assert_eq!(counted.follow(&log, |ended| ended.read), 2);
    }
}
