//! Names this program by what it is made of, so that it goes on with no version that another one has begun
//! (docs/adr/0008-verified-rebuilds.md).

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

/// Whatever makes rows of events, and what that stands on.
const SOURCES: [&str; 4] = [
    "src",
    "../domain/src",
    "../event-store/src",
    "../Cargo.lock",
];

fn main() -> io::Result<()> {
    // Another compiler may hash otherwise: then it is another program, too.
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        add(Path::new(source), &mut hasher)?;
    }
    let hash = hasher.finish();
    println!("cargo::rustc-env=PROJECTORS_PROGRAM={hash:016x}");
    Ok(())
}

/// A file, or all that is below a folder.
fn add(path: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    path.hash(hasher);
    if !path.is_dir() {
        fs::read(path)?.hash(hasher);
        return Ok(());
    }
    let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
    let mut below = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    below.sort_unstable();
    for path in below {
        add(&path, hasher)?;
    }
    Ok(())
}
