//! A server that failed is there again while the program works: how soon it has its keys back.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::figures::{Counted, first};
use super::load::{Ended, Outcome};
use super::outage::Failing;
use super::screen::{count, setting, time};
use super::{CONNECT, Demo, RECONNECT, SLACK, servers};

/// How long the demonstration waits for it.
const GIVE_UP: Duration = Duration::from_secs(6);

impl Demo {
    /// Ends the failure of a server, and shows what follows.
    pub(super) fn comeback(&mut self, at: usize, failing: Failing) -> Result<()> {
        let begin = Instant::now();
        let name = servers::NAMES[at];
        let (title, state) = match failing {
            Failing::Killed => (format!("Server {name} is started again"), "back, was empty"),
            Failing::Hangs => (format!("Server {name} goes on"), "back"),
        };
        self.heading(&title);
        let tries = format!("The client tries a server that is away again every {}", setting(RECONNECT));
        match failing {
            Failing::Killed => println!("Server {name} has lost all values. {tries}."),
            Failing::Hangs => println!("Server {name} still has its values. {tries}."),
        }

        let (since, complete) = self.end_failure(at, failing)?;
        let log = self.take_log();
        let back = first(&log, since, |ended| answered_by(ended, at) && self.homes[ended.key] == at);
        let after: Vec<_> = log.into_iter().filter(|ended| ended.at() >= since).collect();
        let figures = self.show_figures(&after, at, state);

        self.check_others(at, &figures);
        self.check_time(
            &format!("Server {name} answered the first of its keys again"),
            back,
            RECONNECT + CONNECT + SLACK,
        );
        let own = self.keys_of(at);
        let keys = count(own);
        self.promises.check(
            complete,
            format!("All {keys} keys of {name} were read from {name} or stored there again"),
        );
        let failed: usize = figures.iter().map(|figures| figures.failed).sum();
        self.promises.check(failed == 0, format!("Reads and stores that failed: {}", count(failed)));
        let holds = match failing {
            Failing::Killed => {
                self.expected[at] = own;
                "its keys and nothing else"
            }
            Failing::Hangs => "what it held before",
        };
        self.check_items(|server| server == at, &format!("Server {name} holds {holds}"))?;

        let back = back.map_or("never".to_owned(), |back| format!("after {}", time(back)));
        let stored = count(figures[at].stored);
        self.results.add(title, format!("keys are back {back}; stored again: {stored}"), begin.elapsed());
        Ok(())
    }

    /// Works, ends the failure in the midst of it, and works on until every key was read or stored there. Returns
    /// when it ended, and whether every key was.
    fn end_failure(&mut self, at: usize, failing: Failing) -> Result<(Instant, bool)> {
        let _busy = self.screen.busy("the program reads");
        let keys = self.keys_of(at);
        let server = &mut self.servers[at];
        let since = self.load.run_during(move || {
            let since = Instant::now();
            match failing {
                Failing::Killed => server.restart()?,
                Failing::Hangs => server.go_on()?,
            }
            Ok(since)
        })?;
        let (homes, mut there) = (&self.homes, Counted::default());
        let there_again = |ended: &Ended| {
            homes[ended.key] == at && answered_by(ended, at) && ended.outcome != Outcome::Miss
        };
        let complete = self.load.run_until(GIVE_UP, |load| there.follow(load.log(), there_again) == keys)?;
        self.load.finish()?;
        Ok((since, complete))
    }
}

/// Whether the server answered: it was the key's when the command was given, and it did not fail.
fn answered_by(ended: &Ended, server: usize) -> bool {
    ended.server == Some(server) && !matches!(ended.outcome, Outcome::Failed(_))
}
