//! The one thread that starts all children.
//!
//! Linux sends the parent-death signal when the *thread* that forked ends, not the process. Tests
//! run each on a thread of its own, so a child started by one test would die with that test's
//! thread while others still use it. The launcher's thread lives as long as the process.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::sys::signal::Signal;

struct Launch {
    command: Command,
    parent_death_signal: Signal,
    reply: Sender<io::Result<Child>>,
}

/// Starts `command` in a process group of its own; it gets `parent_death_signal` when we end.
pub(super) fn launch(command: Command, parent_death_signal: Signal) -> io::Result<Child> {
    static LAUNCHER: OnceLock<Sender<Launch>> = OnceLock::new();
    let launcher = LAUNCHER.get_or_init(|| {
        let (sender, receiver) = channel::<Launch>();
        thread::Builder::new()
            .name("launcher".to_owned())
            .spawn(move || {
                for launch in receiver {
                    let child = spawn(launch.command, launch.parent_death_signal);
                    // The caller waits below, so a closed channel means that its thread was torn
                    // down; the child then ends with us like all others.
                    let _ = launch.reply.send(child);
                }
            })
            .expect("the system starts one thread for the launcher");
        sender
    });
    let (reply, answer) = channel();
    launcher
        .send(Launch {
            command,
            parent_death_signal,
            reply,
        })
        .expect("the launcher runs as long as its sender, a static, exists");
    answer.recv().expect("the launcher answers every launch")
}

fn spawn(mut command: Command, parent_death_signal: Signal) -> io::Result<Child> {
    // Ctrl-C goes to the terminal's foreground group: in groups of their own, children see none of
    // it and are stopped by us, in order.
    command.process_group(0);
    die_with_parent(&mut command, parent_death_signal);
    command.spawn()
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command, signal: Signal) {
    use nix::sys::prctl::set_pdeathsig;
    use nix::unistd::{Pid, getppid};

    let parent = Pid::this();
    let arm = move || {
        set_pdeathsig(signal)?;
        // We may have died between fork and prctl; then no signal will come.
        if getppid() != parent {
            return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
        }
        Ok(())
    };
    // The closure runs after setuid (which would clear the signal) and before exec.
    #[expect(
        unsafe_code,
        reason = "between fork and exec it only calls prctl and getppid, both async-signal-safe, and allocates nothing"
    )]
    unsafe {
        command.pre_exec(arm);
    }
}

/// Without a parent-death signal, children outlive a `kill -9` of ours; an orderly end stops them.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command, _: Signal) {}
