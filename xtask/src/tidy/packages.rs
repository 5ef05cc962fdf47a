//! Each library crate says what it is: README, CHANGELOG of its version, description, licence.

use anyhow::Result;

use super::finding::Finding;
use crate::workspace::Workspace;

const RULE: &str = "package";

/// What is known of a crate.
struct Facts {
    /// Relative to the workspace.
    directory: String,
    version: String,
    description: Option<String>,
    license: Option<String>,
    has_readme: bool,
    changelog: Option<String>,
}

/// Checks the library crates of the workspace.
pub(crate) fn check_all(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in workspace.libraries() {
        let relative = workspace.directory(package);
        let directory = workspace.root().join(&relative);
        findings.extend(check(&Facts {
            directory: relative,
            version: package.version.to_string(),
            description: package.description.clone(),
            license: package.license.clone(),
            has_readme: directory.join("README.md").is_file(),
            changelog: std::fs::read_to_string(directory.join("CHANGELOG.md")).ok(),
        }));
    }
    Ok(findings)
}

fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |file: &str, message: String| {
        findings.push(Finding { path: format!("{}/{file}", facts.directory), line: 1, rule: RULE, message });
    };
    for (name, value) in [("description", &facts.description), ("license", &facts.license)] {
        if value.as_ref().is_none_or(|value| value.trim().is_empty()) {
            report("Cargo.toml", format!("no `{name}`"));
        }
    }
    if !facts.has_readme {
        report("README.md", "missing".to_owned());
    }
    match &facts.changelog {
        None => report("CHANGELOG.md", "missing".to_owned()),
        Some(text) if !has_entry(text, &facts.version) => {
            report("CHANGELOG.md", format!("no entry for version {}", facts.version));
        }
        Some(_) => {}
    }
    findings
}

/// Whether a heading names the version, as in `## 0.1.0` or `## [0.1.0] - 2026-01-31`.
fn has_entry(changelog: &str, version: &str) -> bool {
    let headings = changelog.lines().filter(|line| line.starts_with("## "));
    headings.flat_map(str::split_whitespace).any(|word| word.trim_matches(['[', ']']) == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> Facts {
        Facts {
            directory: "omcache".to_owned(),
            version: "0.1.0".to_owned(),
            description: Some("A client".to_owned()),
            license: Some("Apache-2.0".to_owned()),
            has_readme: true,
            changelog: Some("# Changelog\n\n## 0.1.0\n".to_owned()),
        }
    }

    fn found(facts: &Facts) -> Vec<String> {
        check(facts).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_complete_crate_is_let_through() {
        assert_eq!(found(&complete()), [""; 0]);
    }

    #[test]
    fn each_missing_thing_is_told() {
        let nothing = Facts {
            description: None,
            license: Some(" ".to_owned()),
            has_readme: false,
            changelog: None,
            ..complete()
        };
        let expected = [
            "omcache/Cargo.toml:1: [package] no `description`",
            "omcache/Cargo.toml:1: [package] no `license`",
            "omcache/README.md:1: [package] missing",
            "omcache/CHANGELOG.md:1: [package] missing",
        ];
        assert_eq!(found(&nothing), expected);
        let newer = Facts { version: "0.2.0".to_owned(), ..complete() };
        assert_eq!(found(&newer), ["omcache/CHANGELOG.md:1: [package] no entry for version 0.2.0"]);
    }

    #[test]
    fn entries_are_headings_with_the_whole_version() {
        assert!(has_entry("## [0.1.0] - 2026-01-31", "0.1.0"));
        assert!(!has_entry("## 0.1.0-beta", "0.1.0"));
        assert!(!has_entry("since 0.1.0", "0.1.0"));
    }
}
