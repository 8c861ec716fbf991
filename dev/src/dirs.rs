//! Where things are kept: the clone's folder, the persistent data, and throw-away folders.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::signal;
use nix::unistd::{Pid, Uid};
use uuid::Uuid;

use crate::error::{Error, FileContext, Result};

/// What tells the clone's folder from others.
const LANDMARK: &str = "dev/kafka/pom.xml";
const SCRATCH_PREFIX: &str = "offset-zero-";
const SCRATCH_LOCK: &str = ".lock";

/// The clone's folder: `OFFSET_ZERO_HOME`, or the first folder with our `dev/kafka/pom.xml` upwards
/// of the current folder or of the running executable. Not the folder we were compiled in: that may
/// be another machine's.
pub fn home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("OFFSET_ZERO_HOME") {
        return Ok(PathBuf::from(home));
    }
    let starts: Vec<PathBuf> = [env::current_dir(), env::current_exe()]
        .into_iter()
        .flatten()
        .collect();
    let found = starts
        .iter()
        .flat_map(|start| start.ancestors())
        .find(|folder| folder.join(LANDMARK).is_file());
    found
        .map(Path::to_path_buf)
        .ok_or_else(|| Error::HomeNotFound {
            searched: starts
                .iter()
                .map(|start| start.display().to_string())
                .collect::<Vec<_>>()
                .join(" and "),
        })
}

/// `.offset-zero/` of the clone, created where missing: downloads, persistent data, logs.
pub fn state() -> Result<PathBuf> {
    let state = home()?.join(".offset-zero");
    fs::create_dir_all(&state).on("create", &state)?;
    Ok(state)
}

/// Where the persistent Postgres keeps its data. Postgres does not run as root, and its user cannot
/// enter a clone in a root-only folder: as root the data lives outside, apart for each clone.
pub fn postgres_data() -> Result<PathBuf> {
    let state = state()?;
    if !Uid::effective().is_root() {
        return Ok(state.join("postgres"));
    }
    Ok(PathBuf::from("/var/lib/offset-zero")
        .join(id_in(&state)?)
        .join("postgres"))
}

/// What names the data outside. It lies beside Kafka's and goes with it: a clone that comes to where another one was has a new log,
/// which rows of the old one do not follow from.
fn id_in(state: &Path) -> Result<String> {
    let path = state.join("id");
    if !path.exists() {
        let new = Uuid::new_v4().simple().to_string();
        let whole = state.join(&new);
        fs::write(&whole, &new).on("write", &whole)?;
        // Whoever comes first gives it, and nobody sees half of it.
        let given = fs::hard_link(&whole, &path);
        fs::remove_file(&whole).on("remove", &whole)?;
        if let Err(error) = given
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(error).on("create", &path);
        }
    }
    let id = fs::read_to_string(&path).on("read", &path)?;
    Ok(id.trim().to_owned())
}

/// A fresh folder under the system's temporary one, removed on drop.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    // Held for as long as the folder is in use; the system releases it however we end.
    _lock: File,
}

impl Scratch {
    /// Creates a folder, and removes those that processes killed with -9 have left behind.
    pub fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_stale();
        let name = format!(
            "{SCRATCH_PREFIX}{}-{}",
            process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).on("create", &path)?;
        // Postgres runs as another user where we are root, and must reach its data below.
        fs::set_permissions(&path, Permissions::from_mode(0o755))
            .on("open to other users", &path)?;
        let lock_path = path.join(SCRATCH_LOCK);
        let lock = File::create(&lock_path).on("create", &lock_path)?;
        lock.lock().on("lock", &lock_path)?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "could not remove the scratch folder");
        }
    }
}

fn remove_stale() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(scratch_owner) else {
            continue;
        };
        if is_stale(pid, &entry.path()) {
            // Best effort: it may be another user's, or another process may be at it, too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn scratch_owner(name: &str) -> Option<Pid> {
    let (pid, _) = name.strip_prefix(SCRATCH_PREFIX)?.split_once('-')?;
    pid.parse().ok().map(Pid::from_raw)
}

/// Both signs are needed: in another container sharing the temporary folder the owner's id means
/// nothing here, and a folder just created is not locked yet.
fn is_stale(owner: Pid, path: &Path) -> bool {
    let owner_is_dead = signal::kill(owner, None) == Err(Errno::ESRCH);
    let is_unlocked = match File::open(path.join(SCRATCH_LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => true,
    };
    owner_is_dead && is_unlocked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clone_is_found_upwards() {
        let home = home().expect("tests run inside the clone");
        assert!(home.join(LANDMARK).is_file());
    }

    #[test]
    fn an_id_goes_with_its_folder() {
        let scratch = Scratch::new().expect("a scratch folder");
        let state = scratch.path().join("state");
        let mut ids = Vec::new();
        for _ in 0..2 {
            fs::create_dir_all(&state).expect("writable");
            let id = id_in(&state).expect("an id");
            assert_eq!(id_in(&state).expect("the same"), id);
            assert_eq!(fs::read_dir(&state).expect("readable").count(), 1);
            ids.push(id);
            fs::remove_dir_all(&state).expect("writable");
        }
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn a_scratch_folder_goes_with_its_handle_and_a_dead_owners_folder_with_the_next() {
        // Beyond the largest id that Linux gives out. It comes in one step: other tests remove it as soon as they see it.
        let name = format!("{SCRATCH_PREFIX}99999999-{}", process::id());
        let stale = env::temp_dir().join(name);
        let nursery = Scratch::new().expect("the temporary folder is writable");
        let made = nursery.path().join("made");
        fs::create_dir_all(made.join("postgres")).expect("the temporary folder is writable");
        fs::rename(made, &stale).expect("the temporary folder is writable");
        let scratch = Scratch::new().expect("the temporary folder is writable");
        let path = scratch.path().to_path_buf();
        assert!(path.is_dir());
        assert!(!stale.exists());
        let other = Scratch::new().expect("the temporary folder is writable");
        assert!(path.is_dir(), "a live owner's folder stays");
        assert_ne!(path, other.path());
        drop(scratch);
        assert!(!path.exists());
    }
}
