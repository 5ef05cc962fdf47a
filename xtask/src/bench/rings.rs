//! What rings cost, from one server to 2,048.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

const COUNTS: [usize; 5] = [1, 4, 64, 512, 2_048];

/// One kind of ring with so many servers.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    pub(super) name: String,
    pub(super) servers: usize,
    pub(super) build_msec: f64,
    /// A key's hash alone, its look-up, and that of each of many keys together.
    pub(super) nanos: [f64; 3],
}

/// Measures them with this program.
pub(super) fn measure(program: &Path) -> Result<Vec<Ring>> {
    let mut rings = Vec::new();
    for servers in COUNTS {
        let output =
            Command::new(program).args(["ring", &servers.to_string(), "-", "1", "ops:1"]).output()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let mut words = line.split_whitespace();
            let name = words.next().context("an empty line")?.to_owned();
            let mut number = |field: &str| -> Result<f64> {
                let word = words.next().and_then(|word| word.strip_prefix(field)?.strip_prefix('='));
                Ok(word.with_context(|| format!("no {field} in {line:?}"))?.parse()?)
            };
            let build_msec = number("build_us")? / 1e3;
            let nanos = [number("hash_ns")?, number("lookup_ns")?, number("together_ns")?];
            rings.push(Ring { name, servers, build_msec, nanos });
        }
    }
    Ok(rings)
}
