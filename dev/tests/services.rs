//! Services that do not become ready say why. The example stands in for one: it is built with the tests.

use std::time::Duration;

use dev::Error;
use dev::dirs::Scratch;
use dev::process::Output;
use dev::services::Service;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn one_that_ends_at_once_is_reported_with_its_log() -> Outcome {
    let scratch = Scratch::new()?;
    let log = Output::File(scratch.path().join("service.log"));
    let service = Service::spawn(
        "examples/hold",
        NO_ARGUMENTS,
        [("OFFSET_ZERO_STACK", "no-such-stack")],
        log,
    )?;
    let result = service.wait_ready(&unused_url()?, Duration::from_secs(20));
    let Err(Error::Exited { log, .. }) = result else {
        return Err(format!("{result:?}").into());
    };
    assert!(log.contains("no-such-stack"), "{log}");
    Ok(())
}

#[test]
fn one_that_does_not_answer_in_time_is_reported_and_stopped() -> Outcome {
    let scratch = Scratch::new()?;
    let log = Output::File(scratch.path().join("service.log"));
    let service = Service::spawn(
        "examples/hold",
        NO_ARGUMENTS,
        [("OFFSET_ZERO_STACK", "native")],
        log,
    )?;
    let result = service.wait_ready(&unused_url()?, Duration::from_millis(300));
    let Err(Error::NotReady { last_answer, .. }) = result else {
        return Err(format!("{result:?}").into());
    };
    assert!(last_answer.contains("refused"), "{last_answer}");
    service.stop()?;
    assert!(!service.process().is_running());
    Ok(())
}

const NO_ARGUMENTS: [&str; 0] = [];

fn unused_url() -> dev::Result<String> {
    Ok(format!("http://127.0.0.1:{}", dev::ports::free()?))
}
