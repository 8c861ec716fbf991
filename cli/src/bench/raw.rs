//! What Kafka and Postgres do on this machine without us: the other side of every ratio.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use event_store::{
    StartAt,
    kafka::{KafkaConfig, KafkaLog},
    log::{Log, Reader},
};
use rdkafka::{
    ClientConfig, ClientContext,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::RDKafkaErrorCode,
    producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer},
};
use sqlx::{Connection, PgConnection};

/// Longer than any of these takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct CountNothing;

impl ClientContext for CountNothing {}

impl ProducerContext for CountNothing {
    type DeliveryOpaque = ();
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// A client of this Kafka, with nothing else set.
pub fn client(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.brokers);
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    client
}

/// A topic of so many partitions.
pub fn create_topic(config: &KafkaConfig, topic: &str, partitions: i32) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = client(config).create()?;
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let created = futures::executor::block_on(admin.create_topics([&topic], &AdminOptions::new()))?;
    for result in created {
        result.map_err(|(name, code)| anyhow::anyhow!("creating {name}: {code}"))?;
    }
    Ok(())
}

/// Messages a second of one idempotent producer with `acks=all`, each of so many bytes, into one partition.
pub fn produce(config: &KafkaConfig, topic: &str, messages: u32, bytes: usize) -> Result<f64> {
    let producer: ThreadedProducer<CountNothing> = client(config)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5")
        .create_with_context(CountNothing)?;
    let payload = vec![b'x'; bytes];
    let begun = Instant::now();
    for number in 0..messages {
        let key = number.to_be_bytes();
        let mut record = BaseRecord::to(topic)
            .partition(0)
            .key(&key)
            .payload(&payload);
        while let Err((error, refused)) = producer.send(record) {
            ensure!(
                error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull),
                "the raw producer failed: {error}"
            );
            std::thread::sleep(Duration::from_millis(1));
            record = refused;
        }
    }
    producer.flush(PATIENCE)?;
    Ok(f64::from(messages) / begun.elapsed().as_secs_f64())
}

/// Records a second of reading a topic from offset zero, one partition after the other, looking at nothing.
pub fn consume(config: &KafkaConfig, topic: &str) -> Result<(u64, f64)> {
    let log = KafkaLog::connect(config)?;
    let partitions = log.partitions(topic)?;
    let name: Arc<str> = topic.into();
    let (mut records, mut elapsed) = (0_u64, Duration::ZERO);
    for partition in 0..partitions {
        let end = log.end_offset(topic, partition)?;
        let start = StartAt {
            topic: Arc::clone(&name),
            partition,
            next_offset: 0,
        };
        let begun = Instant::now();
        let mut reader = log.reader(&[start])?;
        while reader.position(topic, partition) < end {
            ensure!(begun.elapsed() < PATIENCE, "raw consumption takes too long");
            if reader.poll(Duration::from_millis(20), |_| ())?.is_some() {
                records += 1;
            }
        }
        elapsed += begun.elapsed();
    }
    Ok((records, records as f64 / elapsed.as_secs_f64()))
}

/// Seconds that a COPY of a table's rows into a bare table takes.
pub async fn copy(database_url: &str, table: &str) -> Result<f64> {
    let mut source = PgConnection::connect(database_url).await?;
    let rows = read_out(&mut source, table).await?;
    let statements = [
        "drop table if exists bench_copy".to_owned(),
        format!("create table bench_copy (like {table})"),
    ];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&mut source)
            .await?;
    }
    let begun = Instant::now();
    let mut copy = source.copy_in_raw("copy bench_copy from stdin").await?;
    for chunk in rows.chunks(1 << 20) {
        copy.send(chunk).await?;
    }
    copy.finish().await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Seconds that the indexes of such a table take on what was copied last, its primary key included.
pub async fn index(database_url: &str, statements: &'static str) -> Result<f64> {
    let mut connection = PgConnection::connect(database_url).await?;
    let begun = Instant::now();
    sqlx::raw_sql(
        "set maintenance_work_mem = '256MB'; alter table bench_copy add primary key (id)",
    )
    .execute(&mut connection)
    .await?;
    let statements = statements.replace(" on orders ", " on bench_copy ");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&mut connection)
        .await?;
    Ok(begun.elapsed().as_secs_f64())
}

async fn read_out(connection: &mut PgConnection, table: &str) -> Result<Vec<u8>> {
    use futures::TryStreamExt;
    let statement = format!("copy {table} to stdout");
    let mut chunks = connection.copy_out_raw(&statement).await?;
    let mut rows = Vec::new();
    while let Some(chunk) = chunks.try_next().await? {
        rows.extend_from_slice(&chunk);
    }
    Ok(rows)
}

/// The address that a server listens on.
pub fn address_of(url: &str) -> Result<SocketAddr> {
    url.trim_start_matches("http://")
        .parse()
        .with_context(|| format!("{url} has no address"))
}
