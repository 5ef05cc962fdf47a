//! All keys are stored in the beginning, and read once more at the end.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use omcache::Item;

use super::screen::{count, share, time};
use super::{Demo, servers, values};

/// Keys in one batch.
const BATCH: usize = 500;

/// Characters of the longest bar.
const WIDTH: usize = 30;

impl Demo {
    /// Stores all keys, in batches.
    pub(super) fn store(&mut self) -> Result<()> {
        let begin = Instant::now();
        let title = format!("{} keys are stored", count(values::COUNT));
        self.heading(&title);
        println!(
            "In batches of {BATCH} keys; a value has {} bytes and names its key. All servers work at the same time.",
            values::LEN
        );
        let progress = self.screen.progress(values::COUNT, "stored");
        let mut stored = 0;
        for batch in batches() {
            let values: Vec<_> = batch.iter().map(|key| values::value(key)).collect();
            let items: Vec<_> = batch.iter().zip(&values).map(|(key, value)| Item::new(key, value)).collect();
            for result in self.load.client.set_multi(&items) {
                stored += usize::from(result.context("storing a key")?.is_stored());
            }
            progress.inc(batch.len() as u64);
        }
        progress.finish();
        let took = begin.elapsed();
        println!();
        self.promises.check(
            stored == values::COUNT,
            format!("{} of {} keys were stored, in {}", count(stored), count(values::COUNT), time(took)),
        );
        let rate = (stored as f64 / took.as_secs_f64()) as usize;
        self.results.add(title, format!("{} keys a second", count(rate)), took);
        Ok(())
    }

    /// Shows how the keys are spread over the servers, as the client and as the servers see it.
    pub(super) fn spread(&mut self) -> Result<()> {
        let begin = Instant::now();
        let title = "How the keys are spread";
        self.heading(title);
        println!(
            "The client works out the server of each key from the key and the servers' addresses alone\n\
             (consistent hashing, by libmemcached's rule). The servers do not know of each other. The shares\n\
             are never quite equal, and differ with the ports that the servers got."
        );
        let client = &self.load.client;
        let homes = (0..values::COUNT).map(|key| client.server_for_key(&values::key(key)));
        self.homes = homes.collect::<Option<_>>().context("a key has no server")?;
        self.expected = std::array::from_fn(|server| self.keys_of(server));
        let reported = self.items()?;
        let most = self.expected.iter().copied().max().unwrap_or_default();
        let rows = (0..servers::COUNT).map(|server| {
            let keys = self.expected[server];
            vec![
                servers::NAMES[server].to_string(),
                self.servers[server].address(),
                count(keys),
                share(keys, values::COUNT),
                count(reported[server]),
                self.screen.bar(keys, most, WIDTH),
            ]
        });
        let header = ["server", "address", "keys", "share", "items it reports", ""];
        self.screen.table(&header, rows, &[2, 3, 4]);
        println!();
        self.check_items(|_| true, "Every server holds the keys that are its own")?;
        let shares: Vec<_> = self.expected.iter().map(|&keys| share(keys, values::COUNT)).collect();
        self.results.add(title.to_owned(), shares.join(" / "), begin.elapsed());
        Ok(())
    }

    /// Reads all keys, in batches.
    pub(super) fn read_all(&mut self) -> Result<()> {
        let begin = Instant::now();
        let title = "All keys are read once more";
        self.heading(title);
        let (mut right, mut missing, mut wrong) = (0, 0, 0);
        let progress = self.screen.progress(values::COUNT, "read");
        for batch in batches() {
            let values = self.load.client.get_multi(&batch);
            if values.len() != batch.len() {
                bail!("{} results for {} keys", values.len(), batch.len());
            }
            for (key, value) in batch.iter().zip(values) {
                match value.with_context(|| format!("reading {key}"))? {
                    Some(value) if value.data == values::value(key) => right += 1,
                    Some(_) => wrong += 1,
                    None => missing += 1,
                }
            }
            progress.inc(batch.len() as u64);
        }
        progress.finish();
        let took = begin.elapsed();
        self.right += right;
        self.wrong += wrong;
        let text =
            format!("{} values right, {} wrong, {} missing", count(right), count(wrong), count(missing));
        self.promises.check(right == values::COUNT, text.clone());
        self.results.add(title.to_owned(), text, took);
        Ok(())
    }
}

fn batches() -> impl Iterator<Item = Vec<String>> {
    let begins = (0..values::COUNT).step_by(BATCH);
    begins.map(|begin| (begin..values::COUNT.min(begin + BATCH)).map(values::key).collect())
}
