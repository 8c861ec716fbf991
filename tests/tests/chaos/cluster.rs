//! A broker behind a proxy. Always one of our own: another could not be told where the proxy is.

use std::sync::{Arc, OnceLock};

use dev::{
    dirs::Scratch,
    kafka::{Kafka, KafkaOptions},
    ports,
};
use system_tests::proxy::Proxy;

pub(crate) struct Cluster {
    pub(crate) proxy: Proxy,
    kafka: Kafka,
    _data: Scratch,
}

impl Cluster {
    /// One for all tests that need no other; it ends with the process.
    pub(crate) async fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Cluster>> = OnceLock::new();
        let shared = || Arc::clone(SHARED.get_or_init(|| Arc::new(Self::start())));
        tokio::task::spawn_blocking(shared)
            .await
            .expect("the cluster starts")
    }

    pub(crate) fn start() -> Self {
        let data = Scratch::new().expect("a scratch folder");
        let port = ports::free().expect("a free port");
        let options = KafkaOptions {
            data_dir: data.path().join("kafka"),
            port: None,
            performance: false,
            proxy_port: Some(port),
        };
        let kafka = Kafka::start(options).expect("the broker starts");
        let broker = kafka.proxied_port().expect("it was asked for");
        Self {
            proxy: Proxy::start(port, broker).expect("the proxy starts"),
            kafka,
            _data: data,
        }
    }

    /// The broker itself, past the proxy.
    pub(crate) fn brokers(&self) -> String {
        self.kafka.brokers()
    }
}
