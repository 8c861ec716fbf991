//! A stack for the whole test binary, and a part of it for each test.

use std::{path::PathBuf, sync::OnceLock};

use dev::{
    deployment::{GatewayFlags, Server, ServiceOutput, Wiring},
    dirs::Scratch,
    stack::{Stack, StackOptions},
};
use event_store::kafka::{KafkaConfig, KafkaLog};
use uuid::Uuid;

/// Two: enough to show that partitions do not disturb each other.
const PARTITIONS: i32 = 2;

/// Topics, database and logs of one test.
pub struct World {
    /// How this test's services are started.
    pub wiring: Wiring,
    _logs: Scratch,
}

impl World {
    /// A world on the stack that all tests of this binary share. Blocks for some seconds the first time.
    #[must_use]
    pub fn new() -> Self {
        static SHARED: OnceLock<Stack> = OnceLock::new();
        let stack =
            SHARED.get_or_init(|| Stack::start(StackOptions::fresh()).expect("the stack starts"));
        Self::on(stack)
    }

    /// A world on a stack of the test's own, which it may break.
    #[must_use]
    pub fn on(stack: &Stack) -> Self {
        let logs = Scratch::new().expect("a scratch folder");
        let name = Uuid::now_v7().simple().to_string();
        let folder = PathBuf::from(logs.path());
        println!("world {name}: logs in {}", folder.display());
        let mut wiring = Wiring {
            brokers: stack.brokers(),
            kafka_properties: String::new(),
            database_url: stack
                .database_url(&format!("test_{name}"))
                .expect("a database"),
            namespace: format!("{name}."),
            partitions: PARTITIONS,
            gateway_url: String::new(),
            output: ServiceOutput::Folder(folder),
        };
        gateway(&wiring).url.clone_into(&mut wiring.gateway_url);
        Self {
            wiring,
            _logs: logs,
        }
    }

    /// This test's part of the log.
    #[must_use]
    pub fn log(&self) -> KafkaLog {
        let mut config = KafkaConfig::new(&self.wiring.brokers);
        config.namespace.clone_from(&self.wiring.namespace);
        KafkaLog::connect(&config).expect("the client is configured")
    }

    /// A command API that is ready, with all services.
    #[must_use]
    pub fn command_api(&self, port: Option<u16>) -> Server {
        self.services(&[], port)
    }

    /// A command API that is ready, with these services; none means all.
    #[must_use]
    pub fn services(&self, services: &[&str], port: Option<u16>) -> Server {
        self.services_with(services, port, &[])
    }

    /// As [`services`](Self::services), with further flags.
    #[must_use]
    pub fn services_with(&self, services: &[&str], port: Option<u16>, flags: &[&str]) -> Server {
        let server = self.wiring.command_api_of(services, port, flags);
        ready(server.expect("the command API starts"))
    }

    /// Projectors and query API on a migrated database, ready.
    #[must_use]
    pub fn read_side(&self) -> (Server, Server) {
        self.wiring.migrate().expect("the database is migrated");
        let projectors = self.wiring.projectors(None).expect("the projectors start");
        let query_api = self.wiring.query_api(None).expect("the query API starts");
        (ready(projectors), ready(query_api))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// One gateway for all tests of this binary: payments are told apart by their ids, and nobody breaks it.
fn gateway(wiring: &Wiring) -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| {
        let server = wiring.gateway(None, &GatewayFlags::default());
        ready(server.expect("the gateway starts"))
    })
}

fn ready(server: Server) -> Server {
    server.wait_ready().expect("the service gets ready");
    server
}
