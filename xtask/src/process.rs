//! Running other programs: each command is shown, has no standard input, and fails with its own name.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The cargo that runs this program.
pub(crate) fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

/// Shows the command, runs it, and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    show(command);
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Like [`run`], and hands every line of what is printed to `each` after passing it on.
pub(crate) fn run_reading(command: &mut Command, each: impl FnMut(&str)) -> Result<()> {
    show(command);
    // One pipe for both streams keeps their lines in order.
    let (reader, writer) = std::io::pipe()?;
    let spawned = command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).spawn();
    // The command's own ends of the pipe go, else it would never end.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut child = spawned.with_context(|| format!("cannot start `{}`", line(command)))?;
    pass_on(BufReader::new(reader), std::io::stdout().lock(), each)?;
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Copies line by line; a line that is not UTF-8 is copied as it is.
fn pass_on(mut from: impl BufRead, mut to: impl Write, mut each: impl FnMut(&str)) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while from.read_until(b'\n', &mut bytes)? > 0 {
        to.write_all(&bytes)?;
        to.flush()?;
        each(String::from_utf8_lossy(&bytes).trim_end());
        bytes.clear();
    }
    Ok(())
}

fn show(command: &Command) {
    // The command writes to the same file: what is ours must be there before.
    println!("$ {}", line(command));
    let _ = std::io::stdout().flush();
}

/// The command as it could be typed: its own environment settings, the program's name, the arguments.
pub(crate) fn line(command: &Command) -> String {
    let settings = command.get_envs().filter_map(|(name, value)| {
        value.map(|value| format!("{}={}", name.to_string_lossy(), quoted(&value.to_string_lossy())))
    });
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| quoted(&argument.to_string_lossy()));
    settings.chain([name]).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,^@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_could_be_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "--no-deps", "it's"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(line(&command), r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s'");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(&mut Command::new("false")).unwrap_err().to_string();
        assert!(error.starts_with("`false` failed: exit status: 1"), "{error}");
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err().to_string();
        assert_eq!(error, "cannot start `no-such-program-here`");
    }

    #[test]
    fn lines_are_handed_on_even_when_they_are_not_utf8() {
        let (mut copy, mut lines) = (Vec::new(), Vec::new());
        let printed = b"one\n\xfftwo".as_slice();
        pass_on(printed, &mut copy, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(copy, printed);
        assert_eq!(lines, ["one", "\u{fffd}two"]);
    }
}
