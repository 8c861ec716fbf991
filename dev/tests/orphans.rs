//! Whatever ends the parent, nothing that it started stays.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dev::process::{Output, Process, Spec};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// An immediate shutdown of Postgres takes up to 5 s before it kills its own children.
const GONE_TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn a_stack_ends_with_a_parent_that_is_killed() -> Outcome {
    no_orphans_after(Signal::SIGKILL)
}

#[test]
fn a_stack_ends_with_a_parent_that_is_terminated() -> Outcome {
    no_orphans_after(Signal::SIGTERM)
}

#[test]
fn a_stack_ends_with_a_parent_that_is_interrupted() -> Outcome {
    no_orphans_after(Signal::SIGINT)
}

#[test]
fn a_child_outlives_the_thread_that_started_it() -> Outcome {
    let mut sleep = Command::new("sleep");
    sleep.arg("60");
    let child = thread::spawn(move || Process::spawn(Spec::new("sleep", sleep, Output::Inherit)))
        .join()
        .map_err(|_| "the thread panicked")??;
    assert_eq!(child.wait_exit(Duration::from_millis(300)), None);
    child.kill()?;
    assert!(!child.is_running());
    Ok(())
}

#[test]
fn one_that_ignores_the_request_to_end_is_killed_with_its_children() -> Outcome {
    let scratch = dev::dirs::Scratch::new()?;
    let log = scratch.path().join("log");
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' TERM; sleep 60 & echo $!; wait; wait"]);
    let child = Process::spawn(Spec::new("shell", shell, Output::File(log)))?;
    let grandchild: u32 =
        poll(|| child.log_tail(1).trim().parse().ok()).ok_or("the shell prints an id")?;
    let status = child.stop(Duration::from_millis(200))?;
    assert!(!status.success());
    assert!(poll(|| (!is_alive(grandchild)).then_some(())).is_some());
    Ok(())
}

#[test]
fn the_log_of_a_prefixed_child_can_be_read_back() -> Outcome {
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo one; echo two >&2"]);
    let child = Process::spawn(Spec::new(
        "shell",
        shell,
        Output::Prefixed("shell | ".to_owned()),
    ))?;
    assert!(
        child
            .wait_exit(GONE_TIMEOUT)
            .is_some_and(|status| status.success())
    );
    assert!(
        poll(|| (child.log_tail(9).lines().count() == 2).then_some(())).is_some(),
        "{}",
        child.log_tail(9)
    );
    Ok(())
}

/// Starts a parent that holds a stack, ends it by `signal`, and looks for what it left.
fn no_orphans_after(signal: Signal) -> Outcome {
    let mut parent = hold()?;
    let stdout = parent.stdout.take().ok_or("stdout is piped")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let servers: Vec<u32> = line
        .split_once("pids ")
        .ok_or("no pids were printed")?
        .1
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let all: Vec<u32> = servers
        .iter()
        .flat_map(|pid| with_descendants(*pid))
        .collect();
    assert!(
        all.len() > servers.len(),
        "postgres has children of its own: {all:?}"
    );
    kill(Pid::from_raw(i32::try_from(parent.id())?), signal)?;
    parent.wait()?;
    let gone = poll(|| all.iter().all(|pid| !is_alive(*pid)).then_some(()));
    let left: Vec<&u32> = all.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(
        gone.is_some(),
        "left behind by {signal}: {left:?} of {all:?}"
    );
    Ok(())
}

fn hold() -> Result<Child, Box<dyn std::error::Error>> {
    let mut command = Command::new(dev::services::binary("examples/hold")?);
    // The servers must be native for their ids to be known.
    command
        .env_remove("KAFKA_BROKERS")
        .env_remove("DATABASE_URL")
        .env_remove("OFFSET_ZERO_STACK");
    Ok(command.stdout(Stdio::piped()).spawn()?)
}

fn poll<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + GONE_TIMEOUT;
    loop {
        let result = attempt();
        if result.is_some() || Instant::now() >= deadline {
            return result;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Alive and no zombie: an orphan that ended may wait a while for its new parent to notice.
fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat
        .rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

fn with_descendants(pid: u32) -> Vec<u32> {
    let children =
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children
        .split_whitespace()
        .filter_map(|child| child.parse().ok());
    children.flat_map(with_descendants).chain([pid]).collect()
}
