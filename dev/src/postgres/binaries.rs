//! Finds the Postgres server's binaries: Debian keeps them out of PATH, Homebrew apart by version.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// The oldest major version that we support.
const MINIMUM_VERSION: u32 = 15;

/// Below each of these, folders by major version hold a `bin/`.
const VERSIONED_ROOTS: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", ""),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@"),
];

/// The folder with `postgres` and `initdb`.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// The newest in the places where packages put them, else what is in PATH if recent enough.
    pub(super) fn find() -> Result<Self> {
        let newest = VERSIONED_ROOTS
            .iter()
            .flat_map(|(root, prefix)| versions(Path::new(root), prefix))
            .max();
        let folder = newest.map(|(_, folder)| folder).or_else(in_path);
        folder
            .map(|folder| Self { folder })
            .ok_or(Error::PostgresMissing {
                minimum: MINIMUM_VERSION,
            })
    }

    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }
}

fn versions(root: &Path, prefix: &str) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(root) else {
        return Vec::new();
    };
    let version = |name: &str| name.strip_prefix(prefix)?.parse().ok();
    entries
        .flatten()
        .filter_map(|entry| {
            Some((
                version(entry.file_name().to_str()?)?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(version, folder)| *version >= MINIMUM_VERSION && is_complete(folder))
        .collect()
}

fn in_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find(|folder| {
        is_complete(folder)
            && major_version(folder).is_some_and(|version| version >= MINIMUM_VERSION)
    })
}

fn is_complete(folder: &Path) -> bool {
    folder.join("postgres").is_file() && folder.join("initdb").is_file()
}

/// From `postgres (PostgreSQL) 17.2 (Debian …)`.
fn major_version(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text
        .split_whitespace()
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    version
        .split(|other: char| !other.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}
