//! A standby that takes over from a process that was killed.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use dev::deployment::Wiring;
use domain::ids::OrderId;
use hyper::{Method, StatusCode};
use serde::Serialize;

use super::start;
use crate::bench::{load::Connection, raw};

/// The shortest there can be.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// For a standby to have read what the owner has added since.
const FOLLOWING: Duration = Duration::from_secs(3);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

/// What taking over took.
#[derive(Debug, Serialize)]
pub struct TakenOver {
    /// From the kill of the owner to the standby's first answer.
    pub seconds: f64,
    /// How long the group waits before it takes a process for dead.
    pub session_timeout_seconds: f64,
}

/// Both processes begin with this state, a copy each, so that the standby has to read little.
pub async fn measure(wiring: &Wiring, state: &Path, known: OrderId) -> Result<TakenOver> {
    let starting = (wiring.clone(), state.to_owned());
    let start_both = move || -> Result<_> {
        let (wiring, state) = starting;
        let copy = state.with_extension("standby");
        copy_folder(&state, &copy)?;
        let timeout = SESSION_TIMEOUT.as_secs().to_string();
        let timeout = ["--session-timeout", &timeout];
        let owner = start(&wiring, &state, &timeout)?;
        let following = [&timeout[..], &["--standby"]].concat();
        Ok((owner, start(&wiring, &copy, &following)?))
    };
    let (owner, standby) = tokio::task::spawn_blocking(start_both).await??;
    tokio::time::sleep(FOLLOWING).await;
    let killed = tokio::task::spawn_blocking(move || owner.service.kill().map(|()| Instant::now()));
    let killed = killed.await??;
    let mut connection = Connection::open(raw::address_of(&standby.url)?).await?;
    // It is finished: whoever has its partition says so.
    let path = format!("/v1/orders/{known}/cancel");
    loop {
        let (status, body) = connection
            .send(Method::POST, &path, "{}".to_owned())
            .await?;
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                ensure!(killed.elapsed() < PATIENCE, "no takeover: {body:?}");
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            StatusCode::OK | StatusCode::CONFLICT => break,
            other => anyhow::bail!("{path} answered {other}: {body:?}"),
        }
    }
    let taken_over = TakenOver {
        seconds: killed.elapsed().as_secs_f64(),
        session_timeout_seconds: SESSION_TIMEOUT.as_secs_f64(),
    };
    tokio::task::spawn_blocking(move || standby.service.stop()).await??;
    Ok(taken_over)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &copy)?,
            false => drop(fs::copy(entry.path(), copy)?),
        }
    }
    Ok(())
}
