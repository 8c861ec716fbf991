//! Services that do not become ready say why. The example stands in for one: it is built with the tests.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use dev::Error;
use dev::dirs::Scratch;
use dev::process::Output;
use dev::services::Service;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn one_that_ends_at_once_is_reported_with_its_log() -> Outcome {
    let (service, _scratch) = started_on("no-such-stack")?;
    let result = service.wait_ready(&unused_url()?, Duration::from_secs(20));
    let Err(Error::Exited { log, .. }) = result else {
        return Err(format!("{result:?}").into());
    };
    assert!(log.contains("no-such-stack"), "{log}");
    Ok(())
}

#[test]
fn one_that_does_not_answer_in_time_is_reported_and_stopped() -> Outcome {
    let (service, _scratch) = started_on("native")?;
    let result = service.wait_ready(&unused_url()?, Duration::from_millis(300));
    let Err(Error::NotReady { last_answer, .. }) = result else {
        return Err(format!("{result:?}").into());
    };
    assert!(last_answer.contains("refused"), "{last_answer}");
    service.stop()?;
    assert!(!service.process().is_running());
    Ok(())
}

#[test]
fn what_somebody_else_answers_is_not_taken_for_the_answer_of_one_that_has_ended() -> Outcome {
    let (service, _scratch) = started_on("no-such-stack")?;
    let ended = service.process().wait_exit(Duration::from_secs(20));
    ended.ok_or("it ends at once")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let other = thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        // All of it: a connection that is closed with something unread is reset, and the answer with it.
        for line in BufReader::new(&stream).lines() {
            if line?.is_empty() {
                break;
            }
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    });
    let result = service.wait_ready(&url, Duration::from_secs(20));
    assert!(matches!(result, Err(Error::Exited { .. })), "{result:?}");
    other.join().map_err(|_| "the other server panicked")??;
    Ok(())
}

const NO_ARGUMENTS: [&str; 0] = [];

/// The example, on that stack, and where its log is.
fn started_on(stack: &str) -> dev::Result<(Service, Scratch)> {
    let scratch = Scratch::new()?;
    let log = Output::File(scratch.path().join("service.log"));
    let variables = [("OFFSET_ZERO_STACK", stack)];
    let service = Service::spawn("examples/hold", NO_ARGUMENTS, variables, log)?;
    Ok((service, scratch))
}

fn unused_url() -> dev::Result<String> {
    Ok(format!("http://127.0.0.1:{}", dev::ports::free()?))
}
