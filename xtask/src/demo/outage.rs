//! A server fails while the program works: where its keys go, how soon, and what the program notices.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::figures::{Counted, Figures, failures, first};
use super::load::Outcome;
use super::screen::{count, time};
use super::{CONNECT, DEAD, Demo, SLACK, servers, values};

/// How a server fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failing {
    /// It is ended without warning.
    Killed,
    /// Its connections stay open, and it answers nothing.
    Hangs,
}

/// How long an outage may go on before the demonstration gives up on it.
const GIVE_UP: Duration = Duration::from_secs(6);

impl Demo {
    /// Makes a server fail, and shows what follows.
    pub(super) fn outage(&mut self, victim: usize, failing: Failing) -> Result<()> {
        let begin = Instant::now();
        let name = servers::NAMES[victim];
        let (title, state) = match failing {
            Failing::Killed => (format!("Server {name} is killed"), "killed"),
            Failing::Hangs => (format!("Server {name} hangs"), "hangs"),
        };
        self.heading(&title);
        match failing {
            Failing::Killed => println!(
                "A program reads all keys in turn, {} times a second, and stores again what is missing, as programs\n\
                 with a cache do. In the midst of it, server {name} is ended without warning.",
                count(super::load::RATE as usize)
            ),
            Failing::Hangs => println!(
                "The same again, but {name} does not end: its connections stay open, and it answers nothing. The client\n\
                 gives up on the connection after {} of silence, and on a new one after {}.",
                time(DEAD),
                time(CONNECT)
            ),
        }

        let busy = self.screen.busy("reading");
        let keys = self.homes.iter().filter(|&&home| home == victim).count();
        self.load.run_for(Duration::from_millis(300))?;
        let server = &mut self.servers[victim];
        let since = self.load.run_during(move || {
            let since = Instant::now();
            match failing {
                Failing::Killed => server.kill()?,
                Failing::Hangs => server.hang()?,
            }
            Ok(since)
        })?;
        let homes = &self.homes;
        let mut again = Counted::default();
        let all = self.load.run_until(GIVE_UP, |load| {
            again.follow(load.log(), |ended| homes[ended.key] == victim && ended.outcome == Outcome::Stored)
                == keys
        })?;
        self.load.finish()?;
        drop(busy);

        let log = self.load.take_log();
        self.count_values(&log);
        // What is missing was never stored where it was looked for: another server answered.
        let answered =
            first(&log, since, |ended| self.homes[ended.key] == victim && ended.outcome == Outcome::Miss);
        match answered {
            Some(answered) => println!(
                "\nThe first key of {name} was answered by another server after {}. Where the keys of {name} went:",
                time(answered)
            ),
            None => println!("\nNo key of {name} was answered by another server."),
        }
        let moved = self.show_moves(victim);

        let after: Vec<_> = log.into_iter().filter(|ended| ended.at() >= since).collect();
        let figures = Figures::of(&after, &self.homes);
        println!("What the program saw from then on:");
        Figures::show(&figures, &self.screen, victim, state);
        let lines = failures(&after);
        for line in &lines {
            println!("Failed: {line}");
        }
        if lines.is_empty() {
            println!("Nothing failed.");
        }

        println!();
        let others = others(victim);
        self.promises.check(moved == 0, format!("keys of {others}: none of them moved"));
        self.check_others(&figures, victim);
        let limit = DEAD + CONNECT + SLACK;
        let text = match answered {
            Some(answered) => format!("after {}", time(answered)),
            None => "never".to_owned(),
        };
        self.promises.check(
            answered.is_some_and(|answered| answered <= limit),
            format!("keys of {name}: answered by another server {text} (limit {})", time(limit)),
        );
        self.promises.check(all, format!("keys of {name}: all {} are stored again on {others}", count(keys)));
        self.check_items(&format!("{others} report as many more items"), victim, |server, found, homes| {
            let arrived = homes.iter().filter(|(home, now)| *home == victim && *now == server).count();
            server == victim || found == homes.iter().filter(|(home, _)| *home == server).count() + arrived
        })?;
        let failed = figures[victim].failed;
        let result = match answered {
            Some(answered) => format!(
                "keys answered by others after {}; {} of {} reads and stores failed",
                time(answered),
                count(failed),
                count(after.len())
            ),
            None => "keys not answered by others".to_owned(),
        };
        self.results.add(title, result, begin.elapsed());
        Ok(())
    }

    /// Shows where each key of `victim` goes now. Returns how many of the others' keys go elsewhere.
    fn show_moves(&self, victim: usize) -> usize {
        let mut moves: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut moved_others = 0;
        for (key, &home) in self.homes.iter().enumerate() {
            let now = self.load.client.server_for_key(&values::key(key));
            match now {
                _ if home != victim => moved_others += usize::from(now != Some(home)),
                Some(now) => moves.entry(now).or_default().push(key),
                None => {}
            }
        }
        let rows = moves.iter().map(|(&to, keys)| {
            let examples: Vec<_> = keys.iter().take(3).map(|&key| values::key(key)).collect();
            let name = |server: usize| servers::NAMES[server].to_string();
            vec![name(victim), name(to), count(keys.len()), examples.join(", ")]
        });
        self.screen.table(&["from", "to", "keys", "for example"], rows, &[2]);
        moved_others
    }
}
