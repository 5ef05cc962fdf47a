//! What the guide shows: its C stands in the examples, its Python and its commands are run.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::programs::{Servers, examples};
use super::{Place, headers, read};
use crate::process;

/// What the guide shows of C stands in the examples, line for line but for the indentation.
pub(super) fn check_c(place: &Place, guide: &str) -> Result<()> {
    let sources = examples(place)?;
    let sources = sources.iter().map(|path| Ok(flush_left(&read(path)?))).collect::<Result<Vec<_>>>()?;
    for block in blocks(guide, "c")? {
        if !sources.iter().any(|source| source.contains(&flush_left(block))) {
            bail!("the guide shows what is in no example:\n{block}");
        }
    }
    Ok(())
}

/// Runs what it shows of Python, beside the header that it reads.
pub(super) fn check_python(place: &Place, prefix: &Path, guide: &str) -> Result<()> {
    let python = headers::python_with_cffi(place)?;
    for block in blocks(guide, "python")? {
        let program = place.write("guide.py", block)?;
        let mut command = Command::new(&python);
        command.arg(program).current_dir(place.include()).env("LD_LIBRARY_PATH", prefix.join("lib"));
        process::run(&mut command)?;
    }
    Ok(())
}

/// Runs the commands that it shows, as if this directory were the home and memcached were at its usual port.
pub(super) fn check_commands(place: &Place, root: &Path, guide: &str) -> Result<()> {
    let home = place.work.join("home");
    fs::create_dir_all(&home).with_context(|| format!("creating {}", home.display()))?;
    let example = place.sources.join("examples-c/first.c");
    fs::copy(&example, home.join("first.c")).with_context(|| format!("copying {}", example.display()))?;
    let servers = Servers::start()?;
    for block in blocks(guide, "sh")? {
        let shown = block.replace("$HOME", &home.display().to_string()).replace("localhost", &servers.one());
        // Commands of cargo are given in the source tree.
        let script = format!("cargo() {{ (cd '{}' && command cargo \"$@\"); }}\n{shown}\n", root.display());
        let script = place.write("guide.sh", &script)?;
        process::run(
            Command::new("sh").arg("-eu").arg(script).current_dir(&home).env("PKG_CONFIG_PATH", ""),
        )?;
    }
    Ok(())
}

/// The lines between line feeds and without indentation.
fn flush_left(text: &str) -> String {
    text.lines().fold("\n".to_owned(), |text, line| text + line.trim_start() + "\n")
}

/// The blocks of a language; there is at least one.
fn blocks<'t>(text: &'t str, language: &str) -> Result<Vec<&'t str>> {
    let begin = format!("\n```{language}\n");
    let found: Vec<_> = text
        .split(&begin)
        .skip(1)
        .map(|rest| rest.split_once("\n```").map_or(rest, |(block, _)| block))
        .collect();
    if found.is_empty() {
        bail!("the guide shows no block of {language}");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_a_language_are_found_in_the_guide() {
        let guide = "# A\n\n```c\nint a;\nint b;\n```\n\n```sh\ncc\n```\n\n```c\nint c;\n```\n";
        assert_eq!(blocks(guide, "c").unwrap(), ["int a;\nint b;", "int c;"]);
        assert_eq!(blocks(guide, "sh").unwrap(), ["cc"]);
        assert!(blocks(guide, "python").is_err());
        assert!(flush_left("{\n    int a;\n}\n").contains(&flush_left("int a;\n}")));
        assert!(!flush_left("    int aa;\n").contains(&flush_left("int a;")));
    }
}
