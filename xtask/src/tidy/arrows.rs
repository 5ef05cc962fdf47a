//! The arrows between the crates point one way only.

use anyhow::{Context as _, Result};
use cargo_metadata::DependencyKind;

use super::finding::Finding;
use crate::workspace::Workspace;

const RULE: &str = "arrow";

/// The crates of the workspace that each crate may depend on, in the order of the layers.
const ALLOWED: &[(&str, &[&str])] = &[
    ("omcache-proto", &[]),
    ("omcache-hash", &[]),
    ("omcache-conn", &["omcache-proto", "omcache-hash"]),
    ("omcache", &["omcache-proto", "omcache-hash", "omcache-conn"]),
    ("omcache-ffi", &["omcache"]),
    ("omcache-py", &["omcache"]),
    ("xtask", &["omcache"]),
];

/// No crate depends on this one, not even in its tests.
const TASKS: &str = "xtask";

/// A crate of the workspace.
pub(crate) struct Member {
    name: String,
    /// The path and the text of its `Cargo.toml`.
    manifest: (String, String),
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// For tests, examples and benchmarks only.
    development: bool,
}

/// The crates with their dependencies.
pub(crate) fn members(workspace: &Workspace) -> Result<Vec<Member>> {
    workspace
        .packages()
        .iter()
        .map(|package| {
            let path = package.manifest_path.as_std_path();
            let text =
                std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            let dependencies = package.dependencies.iter().map(|dependency| Dependency {
                name: dependency.name.clone(),
                development: dependency.kind == DependencyKind::Development,
            });
            Ok(Member {
                name: package.name.to_string(),
                manifest: (workspace.relative(path), text),
                dependencies: dependencies.collect(),
            })
        })
        .collect()
}

/// Checks the dependencies of all crates.
pub(crate) fn check(members: &[Member]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == member.name) else {
            findings.push(member.finding("", format!("`{}` has no place among the layers", member.name)));
            continue;
        };
        for dependency in &member.dependencies {
            let name = dependency.name.as_str();
            if !members.iter().any(|other| other.name == name) {
                continue;
            }
            let permitted = if dependency.development { name != TASKS } else { allowed.contains(&name) };
            if !permitted {
                findings.push(member.finding(name, format!("`{}` must not depend on `{name}`", member.name)));
            }
        }
    }
    findings
}

impl Member {
    /// A finding at the line of the manifest that names the dependency.
    fn finding(&self, dependency: &str, message: String) -> Finding {
        let (path, text) = &self.manifest;
        let names = |line: &str| {
            let rest = line.trim_start().strip_prefix(dependency);
            rest.is_some_and(|rest| rest.starts_with([' ', '=', '.']))
        };
        let line = text.lines().position(names).map_or(1, |index| index + 1);
        Finding { path: path.clone(), line, rule: RULE, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, dependencies: &[&str], development: &[&str]) -> Member {
        let list = |names: &[&str], development| {
            names.iter().map(|name| Dependency { name: (*name).to_owned(), development }).collect::<Vec<_>>()
        };
        let lines = dependencies.iter().chain(development).map(|name| format!("{name}.workspace = true\n"));
        Member {
            name: name.to_owned(),
            manifest: (format!("{name}/Cargo.toml"), lines.collect()),
            dependencies: [list(dependencies, false), list(development, true)].concat(),
        }
    }

    impl Clone for Dependency {
        fn clone(&self) -> Self {
            Self { name: self.name.clone(), development: self.development }
        }
    }

    fn found(members: &[Member]) -> Vec<String> {
        check(members).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_layers_as_drawn_are_let_through() {
        let members = [
            member("omcache-proto", &["bytes", "nom"], &[]),
            member("omcache-hash", &["md-5"], &["omcache-proto"]),
            member("omcache-conn", &["omcache-proto", "omcache-hash"], &["omcache"]),
            member("omcache", &["omcache-conn", "omcache-proto", "rustix"], &[]),
            member("omcache-ffi", &["omcache"], &["omcache-conn"]),
            member("xtask", &["omcache", "clap"], &[]),
        ];
        assert_eq!(found(&members), [""; 0]);
    }

    #[test]
    fn arrows_the_other_way_are_refused() {
        let members = [
            member("omcache-proto", &["omcache-hash"], &[]),
            member("omcache-hash", &[], &["xtask"]),
            member("omcache-ffi", &["omcache", "omcache-conn"], &[]),
            member("omcache-conn", &[], &[]),
            member("omcache", &[], &[]),
            member("xtask", &[], &[]),
        ];
        let expected = [
            "omcache-proto/Cargo.toml:1: [arrow] `omcache-proto` must not depend on `omcache-hash`",
            "omcache-hash/Cargo.toml:1: [arrow] `omcache-hash` must not depend on `xtask`",
            "omcache-ffi/Cargo.toml:2: [arrow] `omcache-ffi` must not depend on `omcache-conn`",
        ];
        assert_eq!(found(&members), expected);
    }

    #[test]
    fn a_crate_without_a_place_is_refused() {
        let expected = ["omcache-extra/Cargo.toml:1: [arrow] `omcache-extra` has no place among the layers"];
        assert_eq!(found(&[member("omcache-extra", &[], &[])]), expected);
    }
}
