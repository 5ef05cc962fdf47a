//! Where the workspace is and which packages it has, from `cargo metadata`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};

/// The loaded workspace.
pub(crate) struct Workspace {
    root: PathBuf,
    metadata: Metadata,
}

impl Workspace {
    /// Loads the workspace that this program was built in.
    pub(crate) fn load() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let metadata = MetadataCommand::new()
            .manifest_path(&manifest)
            .no_deps()
            .exec()
            .with_context(|| format!("reading the workspace of {}", manifest.display()))?;
        Ok(Self { root: metadata.workspace_root.clone().into_std_path_buf(), metadata })
    }

    /// The directory of the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of what is built.
    pub(crate) fn target_directory(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// The packages of the workspace.
    pub(crate) fn packages(&self) -> &[Package] {
        &self.metadata.packages
    }

    /// The packages that other programs link to: those with a library target.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = &Package> {
        self.packages().iter().filter(|package| package.targets.iter().any(|target| is_library(&target.kind)))
    }

    /// The examples: the name of the package and of the example. Each runs without arguments and ends by itself.
    pub(crate) fn examples(&self) -> impl Iterator<Item = (&str, &str)> {
        let targets = self
            .packages()
            .iter()
            .flat_map(|package| package.targets.iter().map(move |target| (package.name.as_str(), target)));
        targets
            .filter(|(_, target)| target.kind.contains(&TargetKind::Example))
            .map(|(package, target)| (package, target.name.as_str()))
    }

    /// The directory of a package, relative to the workspace.
    pub(crate) fn directory(&self, package: &Package) -> String {
        let manifest = package.manifest_path.as_std_path();
        self.relative(manifest.parent().unwrap_or(manifest))
    }

    /// A path as it is written in reports: relative to the workspace, with `/`.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }
}

fn is_library(kinds: &[TargetKind]) -> bool {
    kinds.iter().any(|kind| {
        matches!(
            kind,
            TargetKind::Lib
                | TargetKind::RLib
                | TargetKind::CDyLib
                | TargetKind::StaticLib
                | TargetKind::DyLib
        )
    })
}
