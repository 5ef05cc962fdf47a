//! A server fails while the program works: where its keys go, how soon, and what the program notices.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::figures::{Counted, Figures, failures, first};
use super::load::{Ended, Outcome, RATE};
use super::screen::{count, setting, time};
use super::{CONNECT, DEAD, Demo, SLACK, servers, values};

/// How a server fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failing {
    /// It is ended without warning.
    Killed,
    /// Its connections stay open, and it answers nothing.
    Hangs,
}

impl Failing {
    fn state(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Hangs => "hangs",
        }
    }
}

/// The keys of a failed server, by the server that they go to now.
type Moves = BTreeMap<usize, Vec<usize>>;

/// How long the program works on before the failure.
const BEFORE: Duration = Duration::from_millis(300);

/// How long an outage may go on before the demonstration gives up on it.
const GIVE_UP: Duration = Duration::from_secs(6);

impl Demo {
    /// Makes a server fail, and shows what follows.
    pub(super) fn outage(&mut self, victim: usize, failing: Failing) -> Result<()> {
        let begin = Instant::now();
        let name = servers::NAMES[victim];
        let title = match failing {
            Failing::Killed => format!("Server {name} is killed"),
            Failing::Hangs => format!("Server {name} hangs"),
        };
        self.heading(&title);
        introduce(name, failing);

        let (since, complete) = self.fail(victim, failing)?;
        let log = self.take_log();
        // The key was stored on the failed server alone, so a server where it is missing is another one.
        let answered = first(&log, since, |ended| {
            self.homes[ended.key] == victim && ended.outcome == Outcome::Miss && ended.at() >= since
        });
        let moves = self.show_moves(victim);
        let after: Vec<_> = log.into_iter().filter(|ended| ended.at() >= since).collect();
        let figures = self.show_figures(&after, victim, failing.state());

        self.check_others(victim, &figures);
        let soon = format!("The first key of {name} was answered by another server");
        self.check_time(&soon, answered, DEAD + CONNECT + SLACK);
        let keys = count(self.keys_of(victim));
        self.promises
            .check(complete, format!("All {keys} keys of {name} were stored again on other servers"));
        for (&to, keys) in &moves {
            self.expected[to] += keys.len();
        }
        if failing == Failing::Killed {
            self.expected[victim] = 0;
        }
        self.check_items(|server| server != victim, "The other servers hold those keys besides their own")?;

        let answered = answered.map_or("never".to_owned(), |answered| format!("after {}", time(answered)));
        let failed: usize = figures.iter().map(|figures| figures.failed).sum();
        let result = format!("other servers answer {answered}; failed: {}", count(failed));
        self.results.add(title, result, begin.elapsed());
        Ok(())
    }

    /// Works, makes the server fail in the midst of it, and works on until all its keys are stored elsewhere. Returns
    /// when it failed, and whether all keys were.
    fn fail(&mut self, victim: usize, failing: Failing) -> Result<(Instant, bool)> {
        let _busy = self.screen.busy("the program reads");
        let keys = self.keys_of(victim);
        self.load.run_for(BEFORE)?;
        let server = &mut self.servers[victim];
        let since = self.load.run_during(move || {
            let since = Instant::now();
            match failing {
                Failing::Killed => server.kill()?,
                Failing::Hangs => server.hang()?,
            }
            Ok(since)
        })?;
        let (homes, mut stored) = (&self.homes, Counted::default());
        let again = |ended: &Ended| homes[ended.key] == victim && ended.outcome == Outcome::Stored;
        let complete = self.load.run_until(GIVE_UP, |load| stored.follow(load.log(), again) == keys)?;
        self.load.finish()?;
        Ok((since, complete))
    }

    fn show_moves(&self, victim: usize) -> Moves {
        let name = |server: usize| servers::NAMES[server].to_string();
        let mut moves = Moves::new();
        for key in (0..values::COUNT).filter(|&key| self.homes[key] == victim) {
            if let Some(now) = self.load.client.server_for_key(&values::key(key)) {
                moves.entry(now).or_default().push(key);
            }
        }
        println!("\nWhere the keys of {} went:", name(victim));
        let rows = moves.iter().map(|(&to, keys)| {
            let examples: Vec<_> = keys.iter().take(3).map(|&key| values::key(key)).collect();
            vec![name(victim), name(to), count(keys.len()), format!("{}, ...", examples.join(", "))]
        });
        self.screen.table(&["from", "to", "keys", "for example"], rows, &[2]);
        moves
    }

    /// Shows what the program saw, of a log that begins with a failure or its end.
    pub(super) fn show_figures(&self, log: &[Ended], at: usize, state: &str) -> [Figures; servers::COUNT] {
        println!("\nWhat the program saw from then on:");
        let figures = Figures::of(log, &self.homes);
        Figures::show(&figures, &self.screen, at, state);
        for failure in failures(log) {
            println!("Failed: {failure}.");
        }
        println!();
        figures
    }

    /// Checks that the keys of the servers besides `at` did not notice anything.
    pub(super) fn check_others(&mut self, at: usize, figures: &[Figures; servers::COUNT]) {
        let moved = (0..values::COUNT).filter(|&key| {
            let home = self.homes[key];
            home != at && self.load.client.server_for_key(&values::key(key)) != Some(home)
        });
        let moved = moved.count();
        let others = || figures.iter().enumerate().filter(|(server, _)| *server != at);
        let failed: usize = others().map(|(_, figures)| figures.failed + figures.misses).sum();
        let slowest = others().map(|(_, figures)| figures.slowest).max().unwrap_or_default();
        let keys =
            format!("Keys of the other servers: {} moved, {} failed or missing", count(moved), count(failed));
        self.promises.check(moved + failed == 0, keys);
        // Whoever waits for the failed server waits at least that long.
        let waited = format!(
            "Keys of the other servers: the slowest answer took {} (limit {})",
            time(slowest),
            setting(CONNECT)
        );
        self.promises.check(slowest < CONNECT, waited);
    }

    /// Checks that something happened within a time.
    pub(super) fn check_time(&mut self, what: &str, after: Option<Duration>, limit: Duration) {
        let held = after.is_some_and(|after| after <= limit);
        let after = after.map_or(": never".to_owned(), |after| format!(" after {}", time(after)));
        self.promises.check(held, format!("{what}{after} (limit {})", setting(limit)));
    }
}

fn introduce(name: char, failing: Failing) {
    match failing {
        Failing::Killed => println!(
            "A program reads all keys in turn, {} reads a second. Where a value is missing it stores it\n\
             again, as programs with a cache do. Meanwhile server {name} is ended without warning.",
            count(RATE as usize)
        ),
        Failing::Hangs => println!(
            "The program goes on. Meanwhile {name} stops answering, but its connections stay open, so that only\n\
             its silence tells. Reads that were sent to it fail after {}; those that come later wait until an\n\
             attempt to connect has failed too, after another {}, and are then answered by the others.",
            setting(DEAD),
            setting(CONNECT)
        ),
    }
}
