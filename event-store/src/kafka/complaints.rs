//! What librdkafka says of its connections. A call answers only that no broker was reached, not that its certificate was refused, or our
//! password.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
};
use tracing::debug;

/// By which librdkafka says that a connection has failed.
const FAILURE: &str = "FAIL";
/// At most so many of the things that were said are heard at a time, which takes some ten milliseconds; where a handshake fails, it is a
/// hundred a second.
const HEARD_AT_ONCE: usize = 10_000;

/// Remembers the last failure that a client has told of. The same one again is told only every 30 seconds, so none is forgotten.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Mutex<Option<String>>,
    /// So many things were said, of whatever kind.
    heard: AtomicUsize,
}

impl Complaints {
    /// What was answered, and what the client has said last of its connections.
    pub(super) fn explain(&self, answered: &str) -> String {
        let last = self.last.lock();
        match &*last.unwrap_or_else(PoisonError::into_inner) {
            Some(said) => format!("{answered}; the client last said: {said}"),
            None => answered.to_owned(),
        }
    }
}

impl ClientContext for Complaints {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        debug!(facility, said = message, "client");
        if facility == FAILURE {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(complaint(message));
        }
    }

    /// Either what is logged as well, or that all brokers are down, which is what is to be explained.
    fn error(&self, error: KafkaError, reason: &str) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        debug!(%error, reason, "client");
    }
}

impl ConsumerContext for Complaints {}

/// Hears what the client has said since the last time. Nobody else polls it, and what it has said and nobody has heard is held for ever.
pub(super) fn hear(client: &BaseConsumer<Complaints>) {
    let heard = || client.context().heard.load(Ordering::Relaxed);
    for _ in 0..HEARD_AT_ONCE {
        let before = heard();
        // None is also answered where something was said, and handed to the context.
        if client.poll(Duration::ZERO).is_none() && heard() == before {
            return;
        }
    }
}

/// Without the thread that logs it, and with what librdkafka does not say of a port where another protocol is spoken.
fn complaint(message: &str) -> String {
    let said = message
        .split_once("]: ")
        .map_or(message, |(_thread, said)| said);
    match said.contains("Disconnected") {
        true => format!(
            "{said}; brokers that stop do so, and brokers that want TLS or SASL (--kafka-property security.protocol=…)"
        ),
        false => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        kafka::{KafkaConfig, KafkaLog},
        log::Log,
    };

    #[test]
    fn a_failure_is_told_without_its_thread_and_a_closed_connection_with_what_may_be_why() {
        let refused = "sasl_ssl://[::1]:9092/bootstrap: SSL handshake failed: certificate verify failed (after 4ms in state SSL_HANDSHAKE)";
        let logged = format!("[thrd:sasl_ssl://[::1]:9092/bootstrap]: {refused}");
        assert_eq!(complaint(&logged), refused);
        let closed = complaint("[thrd:a:1/bootstrap]: a:1/bootstrap: Disconnected: closed by peer");
        assert!(
            closed.starts_with("a:1/bootstrap: Disconnected: closed by peer; ")
                && closed.contains("security.protocol"),
            "{closed}"
        );
    }

    /// Where nobody listens, and nobody will.
    fn deserted() -> String {
        let port = dev::ports::free().expect("there are free ports");
        format!("127.0.0.1:{port}")
    }

    #[test]
    fn all_that_was_said_is_heard_at_once() {
        let mut config = KafkaConfig::new(deserted()).client();
        config
            .set("debug", "broker")
            .set_log_level(RDKafkaLogLevel::Debug);
        let client: BaseConsumer<Complaints> = config
            .create_with_context(Complaints::default())
            .expect("it is configured");
        let heard = || client.context().heard.load(Ordering::Relaxed);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let asked = client.fetch_metadata(None, Duration::from_millis(500));
            assert!(asked.is_err(), "nobody listens");
            let before = heard();
            hear(&client);
            // Each step of each attempt to connect, where the machine has had the time for one.
            let at_once = heard() - before;
            let told = client.context().explain("no answer");
            if at_once > 5 && told.contains("Connection refused") {
                return;
            }
            assert!(Instant::now() < deadline, "{at_once} at once: {told}");
        }
    }

    #[test]
    fn whoever_reaches_no_broker_says_why() {
        let address = deserted();
        let log = KafkaLog::connect(&KafkaConfig::new(&address)).expect("it is configured");
        let asked = log.partitions("OrderEvents");
        let told = asked.expect_err("nobody listens").to_string();
        assert!(
            told.contains(&address) && told.contains("Connection refused"),
            "{told}"
        );
    }

    #[test]
    fn a_property_that_is_none_is_named_without_its_value() {
        let mut config = KafkaConfig::new("127.0.0.1:9092");
        let mistyped = ("sasl.passphrase".to_owned(), "secret".to_owned());
        config.properties.push(mistyped);
        let Err(error) = KafkaLog::connect(&config) else {
            panic!("there is no such property");
        };
        let told = error.to_string();
        assert!(
            told.contains("sasl.passphrase") && !told.contains("secret"),
            "{told}"
        );
    }
}
