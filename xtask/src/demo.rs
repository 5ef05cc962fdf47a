//! `cargo xtask demo`: three cache servers, ten thousand keys, and what happens to them when servers fail.

mod comeback;
mod figures;
mod load;
pub(crate) mod memcached;
mod outage;
mod promises;
mod results;
mod screen;
mod servers;
mod storing;
mod values;
mod waiting;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use omcache::Client;

use self::load::{Ended, Load, Outcome};
use self::outage::Failing;
use self::promises::Promises;
use self::results::Results;
use self::screen::{Screen, count, setting, time};
use self::servers::{CacheServer, Kind};

/// A server that owes an answer and is silent for this long counts as dead.
const DEAD: Duration = Duration::from_secs(1);

/// How long an attempt to connect may take.
const CONNECT: Duration = Duration::from_millis(500);

/// After this long, a server that is away is tried again.
const RECONNECT: Duration = Duration::from_secs(2);

/// What a busy computer may add to a time.
const SLACK: Duration = Duration::from_millis(500);

/// What may be set from outside.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Use the servers built into OMcache, even where memcached is installed
    #[arg(long)]
    embedded: bool,
}

impl Options {
    /// With the servers built into OMcache.
    pub(crate) fn embedded() -> Self {
        Self { embedded: true }
    }
}

/// Shows the client at work, and fails unless everything was as promised.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut demo = Demo::start(&Kind::choose(options.embedded))?;
    demo.store()?;
    demo.spread()?;
    demo.outage(1, Failing::Killed)?;
    demo.comeback(1, Failing::Killed)?;
    demo.outage(2, Failing::Hangs)?;
    demo.comeback(2, Failing::Hangs)?;
    demo.read_all()?;
    demo.finish()
}

/// The demonstration under way.
struct Demo {
    screen: Screen,
    servers: Vec<CacheServer>,
    load: Load,
    /// The server of each key while all are up.
    homes: Vec<usize>,
    /// How many items each server should hold.
    expected: [usize; servers::COUNT],
    promises: Promises,
    results: Results,
    /// Values that were read and compared with what was stored for their key.
    right: usize,
    wrong: usize,
    begin: Instant,
}

impl Demo {
    fn start(kind: &Kind) -> Result<Self> {
        let begin = Instant::now();
        let servers = (0..servers::COUNT).map(|_| CacheServer::start(kind)).collect::<Result<Vec<_>>>()?;
        let mut builder = Client::builder()
            .timeout(Duration::from_secs(5))
            .dead_timeout(DEAD)
            .connect_timeout(CONNECT)
            .reconnect_timeout(RECONNECT);
        for server in &servers {
            builder = builder.server(server.address())?;
        }
        let mut client = builder.build()?;
        let version = client.version(0).context("asking the first server for its version")?;
        let kind = match kind {
            Kind::Memcached(program) => format!("memcached {version} ({})", program.display()),
            Kind::Embedded(why) => format!("built into OMcache ({why})"),
        };
        let mut demo = Self {
            screen: Screen::new(),
            servers,
            load: Load::new(client)?,
            homes: Vec::new(),
            expected: [0; servers::COUNT],
            promises: Promises::default(),
            results: Results::default(),
            right: 0,
            wrong: 0,
            begin,
        };
        demo.introduce(&kind);
        demo.results.add("Three servers are started", kind, begin.elapsed());
        Ok(demo)
    }

    fn introduce(&self, kind: &str) {
        println!("OMcache, a client for clusters of memcached servers: a demonstration");
        println!("====================================================================");
        println!("Three cache servers on this computer, and one program that uses them while servers fail.");
        println!(
            "Every value contains its key, so that one of another key is noticed. All figures are measured."
        );
        self.heading("Three servers are started");
        println!("The servers: {kind}");
        println!("The client's settings, shorter than usual so that there is something to see:");
        println!(
            "  dead_timeout       {:>5}  of silence while an answer is due, and the connection is given up",
            setting(DEAD)
        );
        println!("  connect_timeout    {:>5}  at most for an attempt to connect", setting(CONNECT));
        println!(
            "  reconnect_timeout  {:>5}  until a server that could not be reached is tried again",
            setting(RECONNECT)
        );
        println!("The limits below follow from these, with {} more for a busy computer.", setting(SLACK));
    }

    fn heading(&self, title: &str) {
        self.screen.heading(&format!("{}. {title}", self.results.next_number()));
    }

    /// How many keys are a server's while all are up.
    fn keys_of(&self, server: usize) -> usize {
        self.homes.iter().filter(|&&home| home == server).count()
    }

    /// Takes what the program did, and counts the values that it read.
    fn take_log(&mut self) -> Vec<Ended> {
        let log = self.load.take_log();
        for ended in &log {
            self.right += usize::from(ended.outcome == Outcome::Hit);
            self.wrong += usize::from(ended.outcome == Outcome::Wrong);
        }
        log
    }

    /// How many items each server says it has; 0 for one that can't be asked.
    fn items(&mut self) -> Result<[usize; servers::COUNT]> {
        let mut items = [0; servers::COUNT];
        for (server, items) in items.iter_mut().enumerate() {
            *items = self.items_of(server)?;
        }
        Ok(items)
    }

    fn items_of(&mut self, server: usize) -> Result<usize> {
        let name = servers::NAMES[server];
        let stats = self
            .load
            .client
            .stats(server, "")
            .with_context(|| format!("asking server {name} for its statistics"))?;
        let items = stats.iter().find(|(name, _)| name == "curr_items").map(|(_, value)| value);
        let items = items.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        items.with_context(|| format!("server {name} does not tell how many items it has"))
    }

    /// Checks that servers report as many items as they should hold.
    fn check_items(&mut self, which: impl Fn(usize) -> bool, promise: &str) -> Result<()> {
        let (mut held, mut found) = (true, Vec::new());
        for server in (0..servers::COUNT).filter(|&server| which(server)) {
            let items = self.items_of(server)?;
            held &= items == self.expected[server];
            found.push(format!("{} reports {}", servers::NAMES[server], count(items)));
        }
        self.promises.check(held, format!("{promise} ({} items)", found.join(", ")));
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.screen.heading("Result");
        self.results.show(&self.screen);
        let all = self.right + self.wrong;
        println!("Keys checked: {}, in {} reads that found a value", count(values::COUNT), count(all));
        println!("Wrong values: {}", count(self.wrong));
        let broken = self.promises.broken();
        if broken.is_empty() && self.wrong == 0 {
            println!("Verdict: all {} checks held, in {}.", self.promises.kept(), time(self.begin.elapsed()));
            return Ok(());
        }
        for promise in broken {
            println!("Did not hold: {promise}");
        }
        bail!(
            "the demonstration found {} wrong values and {} checks that did not hold",
            self.wrong,
            broken.len()
        );
    }
}
