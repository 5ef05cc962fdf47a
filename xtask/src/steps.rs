//! A list of independent steps: each is timed, a failure does not keep the later ones from running.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The steps run so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: String,
    failure: Option<String>,
    took: Duration,
}

impl Steps {
    /// Runs a step and records how it ended.
    pub(crate) fn run(&mut self, name: impl Into<String>, step: impl FnOnce() -> Result<()>) {
        let name = name.into();
        println!("\n== {name}");
        let _ = std::io::stdout().flush();
        let begin = Instant::now();
        let failure = step().err().map(|error| format!("{error:#}"));
        if let Some(failure) = &failure {
            println!("{name}: {failure}");
        }
        self.done.push(Step { name, failure, took: begin.elapsed() });
    }

    /// Prints the table of the steps.
    ///
    /// # Errors
    /// When a step failed.
    pub(crate) fn finish(self) -> Result<()> {
        print!("\n{}", self.table());
        let failed: Vec<_> =
            self.done.iter().filter(|step| step.failure.is_some()).map(|step| step.name.as_str()).collect();
        if !failed.is_empty() {
            bail!("{} of {} steps failed: {}", failed.len(), self.done.len(), failed.join(", "));
        }
        Ok(())
    }

    fn table(&self) -> String {
        let width = self.done.iter().map(|step| step.name.len()).chain([4]).max().unwrap_or(4);
        let mut table = format!("{:width$}  result  seconds\n", "step");
        for step in &self.done {
            let result = if step.failure.is_some() { "FAILED" } else { "ok" };
            let _ = writeln!(table, "{:width$}  {result:6}  {:7.1}", step.name, step.took.as_secs_f64());
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_at_the_end_and_stops_nothing() {
        let mut steps = Steps::default();
        let mut ran = false;
        steps.run("first", || bail!("no"));
        steps.run("second one", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        let error = steps.finish().unwrap_err().to_string();
        assert_eq!(error, "1 of 2 steps failed: first");
    }

    #[test]
    fn the_table_has_a_line_for_each_step() {
        let step = |name: &str, failure: Option<&str>, millis| Step {
            name: name.to_owned(),
            failure: failure.map(str::to_owned),
            took: Duration::from_millis(millis),
        };
        let steps = Steps { done: vec![step("tidy", None, 1_260), step("clippy", Some("no"), 61_000)] };
        assert_eq!(
            steps.table(),
            "step    result  seconds\n\
             tidy    ok          1.3\n\
             clippy  FAILED     61.0\n"
        );
    }
}
