//! Free loopback ports.
//!
//! Asking the system for port 0 and closing the socket is a race: the system may give the same port
//! to the next who asks, test binaries side by side among them. So ports come from below the
//! system's own ephemeral range, and each is claimed by a file lock that we hold until we end.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Uid;

use crate::error::{Error, Result};

/// Below Linux's ephemeral range (from 32768), above the well-known servers.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;
/// Longer than Postgres takes to end at once.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(6);

/// The claims of this process, kept until it ends.
static CLAIMS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A loopback port that nobody listens on and that no other process of ours will be given.
pub fn free() -> Result<u16> {
    let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
    // Processes begin in different places, so that they rarely meet.
    let start = process::id().wrapping_mul(97);
    let mut source = io::Error::from(io::ErrorKind::AddrInUse);
    for offset in 0..COUNT {
        let port = u16::try_from(FIRST + start.wrapping_add(offset) % COUNT)
            .expect("the range lies below 65536");
        match claim(port) {
            Ok(Some(file)) => {
                claims.push(file);
                return Ok(port);
            }
            Ok(None) => {}
            Err(error) => source = error,
        }
    }
    Err(Error::NoFreePort { source })
}

/// The port that was asked for, once nobody listens there, else a free one.
///
/// A server that cannot bind ends only after a while, and until then the one that has the port
/// would answer in its place. A short wait, since a predecessor may be about to end.
pub(crate) fn requested(name: &'static str, port: Option<u16>) -> Result<u16> {
    let Some(port) = port else { return free() };
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    while TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() >= deadline {
            return Err(Error::PortTaken { name, port });
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(port)
}

fn claim(port: u16) -> io::Result<Option<File>> {
    // Apart for each user: what one has created, the next may not open.
    let folder = env::temp_dir().join(format!("offset-zero-ports-{}", Uid::effective()));
    fs::create_dir_all(&folder)?;
    let file = File::create(folder.join(port.to_string()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .is_ok()
        .then_some(file))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice_and_none_that_is_taken() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, free().expect("there are free ports")))
            .expect("it was free");
        let taken = taken.local_addr().expect("it is bound").port();
        let ports: HashSet<u16> = (0..50)
            .map(|_| free().expect("there are free ports"))
            .collect();
        assert_eq!(ports.len(), 50);
        assert!(!ports.contains(&taken));
    }

    #[test]
    fn a_port_in_use_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback is there");
        let port = listener.local_addr().expect("it is bound").port();
        let error = requested("kafka", Some(port))
            .expect_err("it is in use")
            .to_string();
        assert!(
            error.starts_with(&format!("port {port} for kafka is in use")),
            "{error}"
        );
    }
}
