//! `cargo xtask tidy`: the rules on structure that no compiler checks, each in a file of its own.

mod arrows;
mod finding;
mod ignored;
mod links;
mod names;
mod no_std;
mod openings;
mod packages;
mod panics;
mod paths;
mod sans_io;
mod sizes;
mod text;
mod tokens;
mod tree;
mod unsafety;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use finding::Finding;
use tree::{File, Tree};

/// Runs all checks and prints what they found, one line each.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let tree = Tree::load(workspace.root())?;
    let libraries: Vec<_> = workspace.libraries().map(|package| workspace.directory(package)).collect();
    let mut findings = arrows::check(&arrows::members(workspace)?);
    findings.extend(packages::check_all(workspace)?);
    for file in tree.files() {
        findings.extend(check_file(file, &tree, &libraries));
    }
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings in {} files", findings.len(), tree.files().len());
    }
    println!("tidy: {} files in order", tree.files().len());
    Ok(())
}

fn check_file(file: &File, tree: &Tree, libraries: &[String]) -> Vec<Finding> {
    let mut findings = text::check(file);
    findings.extend(openings::check(file));
    findings.extend(sizes::check(file));
    findings.extend(names::check(file));
    if file.extension() == "md" {
        findings.extend(links::check(file, |path| tree.exists(path)));
    }
    let Some(tokens) = file.tokens() else { return findings };
    let tokens = match tokens {
        Ok(tokens) => tokens,
        Err(unreadable) => {
            findings.push(file.finding(unreadable.line, "syntax", unreadable.message.clone()));
            return findings;
        }
    };
    findings.extend(names::check_modules(file, tokens));
    findings.extend(unsafety::check(file, tokens));
    findings.extend(ignored::check(file, tokens));
    findings.extend(no_std::check(file, tokens));
    if libraries.iter().any(|library| file.is_source_of(library)) {
        findings.extend(panics::check(file, tokens));
        findings.extend(sans_io::check(file, tokens));
    }
    findings
}
