//! TLS and passwords, to Kafka and to Postgres, as docs/operating.md has them: everything works with them, and every program that is
//! told of them wrongly says what is wrong, in time.

mod certificates;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use dev::{
    deployment::{Server, ServiceOutput, Wiring},
    dirs::Scratch,
    kafka::{self, Kafka, KafkaOptions},
    postgres::{Postgres, PostgresOptions},
    process::{Output, Process},
    secured::Secured,
    services::Service,
};
use system_tests::{Client, shop};
use uuid::Uuid;

use self::certificates::Authority;
use crate::{blocking, wait_for};

const PARTITIONS: i32 = 2;
const DATABASE: &str = "orders";
const PASSWORD: &str = "what-only-we-know";
const WRONG_PASSWORD: &str = "what-others-guess";
/// Who has signed the servers' certificates, as clients are told it.
const AUTHORITY: &str = "authority.pem";
const WRONG_AUTHORITY: &str = "another.pem";
/// Kafka is given up after three seconds, Postgres after ten; the rest is for a busy machine.
const SAID_WITHIN: Duration = Duration::from_secs(40);
/// More than any program here writes, the trace of an error included.
const LOG_LINES: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_tls_and_passwords_all_is_well_and_what_is_wrong_with_them_is_said() {
    let site = Arc::new(blocking(Site::start).await);
    an_order_is_placed_and_read(&site).await;
    blocking(move || {
        for fault in site.faults() {
            site.hear_of(&fault);
        }
        site.hear_of_a_property_that_is_none();
    })
    .await;
}

async fn an_order_is_placed_and_read(site: &Arc<Site>) {
    let servers = {
        let site = Arc::clone(site);
        blocking(move || site.everything()).await
    };
    let [command_api, _projectors, query_api] = &servers;
    let commands = Client::new(&command_api.url);
    let queries = Client::new(&query_api.url);
    shop::fill(&commands).await;
    let id = commands.placed("ada").await;
    // Every service, policy and projection has had its part in that.
    wait_for(&queries, &format!("/v1/orders/{id}"), |order| {
        order["status"] == "awaiting_payment"
    })
    .await;
    let (is_well, said) = {
        let site = Arc::clone(site);
        blocking(move || site.offset_zero("doctor", &site.right())).await
    };
    assert!(is_well, "{said}");
    blocking(move || drop(servers)).await;
}

/// A Kafka and a Postgres that take nobody without TLS and the password.
struct Site {
    kafka: Kafka,
    postgres: Postgres,
    // Last, so that the servers are gone before their data is.
    scratch: Scratch,
}

/// What programs are told wrongly, and some words of what they say to it.
struct Fault {
    kafka_properties: String,
    of_kafka: &'static str,
    database_url: String,
    of_postgres: &'static str,
}

impl Site {
    fn start() -> Self {
        let scratch = Scratch::new().expect("a scratch folder");
        let folder = scratch.path();
        println!("logs in {}", folder.display());
        let (secured, other) = certified().expect("certificates are made");
        for (name, certificate) in [(AUTHORITY, &secured.authority), (WRONG_AUTHORITY, &other)] {
            fs::write(folder.join(name), certificate).expect("written");
        }
        let kafka = KafkaOptions {
            data_dir: folder.join("kafka"),
            port: None,
            performance: false,
            proxy_port: None,
        };
        let postgres = PostgresOptions {
            data_dir: folder.join("postgres"),
            port: None,
            durable: false,
        };
        let kafka = Kafka::start_secured(kafka, secured.clone()).expect("kafka starts");
        let postgres = Postgres::start_secured(postgres, secured).expect("postgres starts");
        postgres.create_database(DATABASE).expect("a database");
        Self {
            kafka,
            postgres,
            scratch,
        }
    }

    /// As `OFFSET_ZERO_KAFKA_PROPERTIES` has them.
    fn kafka_properties(&self, authority: &str, password: &str) -> String {
        let user = kafka::USER;
        let authority = self.file(authority);
        format!(
            "security.protocol=SASL_SSL,ssl.ca.location={},sasl.mechanism=PLAIN,sasl.username={user},sasl.password={password}",
            authority.display()
        )
    }

    /// As `DATABASE_URL` has it.
    fn database_url(&self, authority: &str, password: &str) -> String {
        let url = self.postgres.url(DATABASE).replace(PASSWORD, password);
        let authority = self.file(authority);
        format!(
            "{url}?sslmode=verify-full&sslrootcert={}",
            authority.display()
        )
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn wiring(&self, kafka_properties: String, database_url: String) -> Wiring {
        Wiring {
            brokers: self.kafka.brokers(),
            kafka_properties,
            database_url,
            namespace: String::new(),
            partitions: PARTITIONS,
            gateway_url: String::new(),
            output: ServiceOutput::Folder(self.scratch.path().to_owned()),
        }
    }

    fn right(&self) -> Wiring {
        self.wiring(
            self.kafka_properties(AUTHORITY, PASSWORD),
            self.database_url(AUTHORITY, PASSWORD),
        )
    }

    /// A command API, projectors and a query API, all of them ready.
    fn everything(&self) -> [Server; 3] {
        let wiring = self.right();
        wiring.migrate().expect("the database is migrated");
        let servers = [
            wiring.command_api(None),
            wiring.projectors(None),
            wiring.query_api(None),
        ];
        let servers = servers.map(|server| server.expect("it starts"));
        for server in &servers {
            server.wait_ready().expect("it gets ready");
        }
        servers
    }

    /// Runs a command to its end, which comes in time; answers whether all was well, and what it has said.
    fn offset_zero(&self, command: &str, wiring: &Wiring) -> (bool, String) {
        let partitions = wiring.partitions.to_string();
        let arguments = [
            command,
            "--kafka-brokers",
            &wiring.brokers,
            "--partitions",
            &partitions,
        ];
        let database = ("DATABASE_URL", &*wiring.database_url);
        let variables = wiring.properties().into_iter().chain([database]);
        let output = Output::File(self.file(&format!("{command}-{}.log", Uuid::now_v7())));
        let running = Service::spawn_as(command, "offset-zero", arguments, variables, output);
        let running = running.expect("it starts");
        ended(running.process())
    }

    /// Nothing at all, somebody else's authority, another password.
    fn faults(&self) -> [Fault; 3] {
        [
            Fault {
                kafka_properties: String::new(),
                of_kafka: "security.protocol",
                database_url: format!("{}?sslmode=disable", self.postgres.url(DATABASE)),
                of_postgres: "no encryption",
            },
            Fault {
                kafka_properties: self.kafka_properties(WRONG_AUTHORITY, PASSWORD),
                of_kafka: "certificate verify failed",
                database_url: self.database_url(WRONG_AUTHORITY, PASSWORD),
                of_postgres: "certificate verify failed",
            },
            Fault {
                kafka_properties: self.kafka_properties(AUTHORITY, WRONG_PASSWORD),
                of_kafka: "Invalid username or password",
                database_url: self.database_url(AUTHORITY, WRONG_PASSWORD),
                of_postgres: "password authentication failed",
            },
        ]
    }

    /// Has every program meet it, and say so. What serves waits for better days; what was typed ends.
    fn hear_of(&self, fault: &Fault) {
        let Fault {
            kafka_properties,
            of_kafka,
            database_url,
            of_postgres,
        } = fault;
        let right = self.right();
        let no_kafka = self.wiring(kafka_properties.clone(), right.database_url);
        let no_postgres = self.wiring(right.kafka_properties, database_url.clone());
        let neither = self.wiring(kafka_properties.clone(), database_url.clone());
        let serving = [
            (no_kafka.command_api(None), of_kafka),
            (no_kafka.projectors(None), of_kafka),
            (no_postgres.projectors(None), of_postgres),
            (no_postgres.query_api(None), of_postgres),
        ];
        let serving = serving.map(|(server, words)| (server.expect("it starts"), words));

        let (is_well, said) = self.offset_zero("doctor", &neither);
        let remedies = ["--kafka-property", "sslmode"];
        for words in [*of_kafka, *of_postgres].iter().chain(&remedies) {
            assert!(!is_well && said.contains(words), "{words}: {said}");
        }
        assert!(!said.contains(WRONG_PASSWORD), "{said}");
        let (is_well, said) = self.offset_zero("migrate", &neither);
        assert!(!is_well && said.contains(of_postgres), "{said}");

        for (server, words) in &serving {
            hear(server.service.process(), words);
            server.service.kill().expect("killed");
        }
    }

    /// What waiting would not mend ends a program at once. A value may be a secret, and is not shown.
    fn hear_of_a_property_that_is_none(&self) {
        let mistyped = format!("sasl.passphrase={PASSWORD}");
        let wiring = self.wiring(mistyped, self.database_url(AUTHORITY, PASSWORD));
        for server in [wiring.command_api(None), wiring.projectors(None)] {
            let server = server.expect("it starts");
            let (is_well, said) = ended(server.service.process());
            assert!(!is_well && said.contains("sasl.passphrase"), "{said}");
            assert!(!said.contains(PASSWORD), "{said}");
        }
    }
}

/// What makes servers secure, and the certificate of an authority that has nothing to do with it.
fn certified() -> Result<(Secured, String), openssl::error::ErrorStack> {
    let authority = Authority::new("an authority")?;
    let (certificate, key) = authority.server()?;
    let secured = Secured {
        certificate,
        key,
        authority: authority.certificate()?,
        password: PASSWORD.to_owned(),
    };
    Ok((secured, Authority::new("another one")?.certificate()?))
}

/// Waits for its end; answers whether all was well, and what it has said.
fn ended(process: &Process) -> (bool, String) {
    let status = process.wait_exit(SAID_WITHIN);
    let said = process.log_tail(LOG_LINES);
    let Some(status) = status else {
        panic!("{} hangs: {said}", process.name());
    };
    (status.success(), said)
}

/// Waits until it has said so, and goes on waiting itself.
fn hear(process: &Process, words: &str) {
    let is_said = process.wait_until_said(words, SAID_WITHIN);
    let said = process.log_tail(LOG_LINES);
    assert!(!said.contains(WRONG_PASSWORD), "{said}");
    let name = process.name();
    assert!(is_said, "{name} does not say {words}: {said}");
    assert!(process.is_running(), "it waits: {said}");
}
