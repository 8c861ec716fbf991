//! The servers themselves: that they start, keep their data through an end of any kind, and stop.

use std::time::{Duration, Instant};

use dev::dirs::Scratch;
use dev::kafka::{Kafka, KafkaOptions};
use dev::postgres::{Postgres, PostgresOptions, ScratchDatabase, drop_scratch_databases};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn kafka_keeps_its_data_and_its_address_through_stop_and_kill() -> Outcome {
    let scratch = Scratch::new()?;
    let options = KafkaOptions {
        data_dir: scratch.path().join("kafka"),
        port: None,
        performance: false,
        proxy_port: None,
    };
    let mut kafka = timed("kafka, first start", || Kafka::start(options))?;
    let brokers = kafka.brokers();
    create_topic(&brokers)?;
    produce(&brokers, "before the stop")?;
    timed("kafka, restart in order", || kafka.restart())?;
    assert_eq!(kafka.brokers(), brokers);
    produce(&brokers, "before the kill")?;
    kafka.kill()?;
    assert!(!kafka.process().is_running());
    timed("kafka, restart after kill -9", || kafka.restart())?;
    assert_eq!(end_offset(&brokers)?, 2);
    timed("kafka, stop", || kafka.stop())?;
    Ok(())
}

#[test]
fn a_paused_kafka_answers_after_it_resumes() -> Outcome {
    let scratch = Scratch::new()?;
    let options = KafkaOptions {
        data_dir: scratch.path().join("kafka"),
        port: None,
        performance: false,
        proxy_port: None,
    };
    let kafka = Kafka::start(options)?;
    create_topic(&kafka.brokers())?;
    kafka.pause()?;
    let client = consumer(&kafka.brokers())?;
    assert!(
        client
            .fetch_metadata(None, Duration::from_millis(500))
            .is_err()
    );
    kafka.resume()?;
    produce(&kafka.brokers(), "after the pause")?;
    assert_eq!(end_offset(&kafka.brokers())?, 1);
    Ok(())
}

#[test]
fn postgres_keeps_its_data_through_stop_and_kill() -> Outcome {
    let scratch = Scratch::new()?;
    let options = PostgresOptions {
        data_dir: scratch.path().join("postgres"),
        port: None,
        durable: true,
    };
    let mut postgres = timed("postgres, first start", || Postgres::start(options))?;
    postgres.create_database("orders")?;
    postgres.create_database("orders")?;
    let url = postgres.url("orders");
    query(
        &url,
        "create table kept (value int); insert into kept values (1)",
    )?;
    timed("postgres, restart in order", || postgres.restart())?;
    query(&url, "insert into kept values (2)")?;
    postgres.kill()?;
    timed("postgres, restart after kill -9", || postgres.restart())?;
    // Divides by zero unless both rows are there.
    query(&url, "select 1 / (count(*) - 1) from kept")?;
    timed("postgres, stop", || postgres.stop())?;
    assert!(query(&url, "select 1").is_err());
    Ok(())
}

/// One test, since the second way takes the databases of all tests beside it.
#[test]
fn a_scratch_database_goes_with_its_handle_or_with_all_others_even_while_it_is_used() -> Outcome {
    let scratch = Scratch::new()?;
    let postgres = Postgres::start(PostgresOptions {
        data_dir: scratch.path().join("postgres"),
        port: None,
        durable: false,
    })?;
    let server = postgres.url("postgres");
    let (database, other) = (
        ScratchDatabase::create(&server)?,
        ScratchDatabase::create(&server)?,
    );
    assert_ne!(database.url(), other.url());
    let url = database.url().to_owned();
    query(&url, "create table filled (value int)")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut connection = runtime.block_on(PgConnection::connect(&url))?;
    drop(database);
    assert!(runtime.block_on(connection.ping()).is_err());
    assert!(query(&url, "select 1").is_err());
    query(other.url(), "select 1")?;
    let mut connection = runtime.block_on(PgConnection::connect(other.url()))?;
    drop_scratch_databases();
    assert!(runtime.block_on(connection.ping()).is_err());
    assert!(query(other.url(), "select 1").is_err());
    Ok(())
}

#[tokio::test]
async fn a_database_can_be_created_from_async_code() -> Outcome {
    let scratch = Scratch::new()?;
    let options = PostgresOptions {
        data_dir: scratch.path().join("postgres"),
        port: None,
        durable: false,
    };
    let postgres = timed("postgres, first start without durability", || {
        Postgres::start(options)
    })?;
    postgres.create_database("orders")?;
    PgConnection::connect(&postgres.url("orders"))
        .await?
        .ping()
        .await?;
    Ok(())
}

fn timed<T>(what: &str, work: impl FnOnce() -> dev::Result<T>) -> dev::Result<T> {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:?}", start.elapsed());
    result
}

fn create_topic(brokers: &str) -> Outcome {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()?;
    let topic = NewTopic::new("kept", 1, TopicReplication::Fixed(1));
    let creating = admin.create_topics(
        [&topic],
        &AdminOptions::new().operation_timeout(Some(TIMEOUT)),
    );
    let results = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(creating)?;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    Ok(())
}

fn produce(brokers: &str, payload: &str) -> Outcome {
    let producer: ThreadedProducer<_> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("acks", "all")
        .create()?;
    producer
        .send(BaseRecord::<str, str>::to("kept").payload(payload))
        .map_err(|(error, _)| error)?;
    Ok(producer.flush(TIMEOUT)?)
}

fn end_offset(brokers: &str) -> Result<i64, Box<dyn std::error::Error>> {
    Ok(consumer(brokers)?.fetch_watermarks("kept", 0, TIMEOUT)?.1)
}

fn consumer(brokers: &str) -> Result<BaseConsumer, rdkafka::error::KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("log_level", "0")
        .create()
}

fn query(url: &str, statement: &'static str) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut connection = PgConnection::connect(url).await?;
            sqlx::raw_sql(statement).execute(&mut connection).await?;
            Ok(())
        })
}
