//! The simulated carrier between a real Kafka and a command API that is not always well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use dev::carrier::{self, CarrierOptions};
use dev::dirs::Scratch;
use dev::kafka::{Kafka, KafkaOptions};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(30);
const TOPIC: &str = "test.ShippingEvents";
const DELAYED: &str = "01900000-0000-7000-8000-000000000001";
const UNKNOWN: &str = "01900000-0000-7000-8000-000000000002";
const LATER: &str = "01900000-0000-7000-8000-000000000003";

type Failure = Box<dyn std::error::Error>;
type Outcome = Result<(), Failure>;

/// A report as it came.
#[derive(Debug, PartialEq)]
struct Report {
    path: String,
    key: String,
    body: Value,
}

/// Answers 503 to the first of everything, then 404 for one shipment.
struct CommandApi {
    tries: Mutex<HashMap<String, u32>>,
    reports: mpsc::UnboundedSender<Report>,
}

async fn take(
    State(api): State<Arc<CommandApi>>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let path = uri.path().to_owned();
    let mut tries = api.tries.lock().expect("no test panics in here");
    let tries = tries.entry(path.clone()).or_default();
    *tries += 1;
    if *tries == 1 {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let key = headers["idempotency-key"]
        .to_str()
        .expect("text")
        .to_owned();
    let body = serde_json::from_str(&body).unwrap_or_default();
    let is_unknown = path.contains(UNKNOWN);
    let _ = api.reports.send(Report { path, key, body });
    match is_unknown {
        true => StatusCode::NOT_FOUND,
        false => StatusCode::OK,
    }
}

async fn command_api() -> Result<(String, mpsc::UnboundedReceiver<Report>), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (sender, reports) = mpsc::unbounded_channel();
    let api = Arc::new(CommandApi {
        tries: Mutex::default(),
        reports: sender,
    });
    let router = Router::new().fallback(post(take)).with_state(api);
    tokio::spawn(axum::serve(listener, router).into_future());
    Ok((url, reports))
}

fn start(options: CarrierOptions) -> (oneshot::Sender<()>, JoinHandle<dev::Result<()>>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    (stop, tokio::spawn(carrier::run(options, shutdown)))
}

async fn produce(brokers: &str, kind: &str, event_id: &str, shipment: &str) -> Outcome {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()?;
    let header = |key, value| Header {
        key,
        value: Some(value),
    };
    let headers = OwnedHeaders::new()
        .insert(header("ce_type", kind))
        .insert(header("ce_id", event_id));
    let payload = json!({"shipment_id": shipment, "order_id": "o"}).to_string();
    let record = FutureRecord::to(TOPIC)
        .key("o")
        .payload(&payload)
        .headers(headers);
    producer
        .send(record, PATIENCE)
        .await
        .map_err(|(error, _)| error)?;
    Ok(())
}

async fn create_topic(brokers: &str) -> Outcome {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()?;
    let topic = NewTopic::new(TOPIC, 2, TopicReplication::Fixed(1));
    let created = admin.create_topics(&[topic], &AdminOptions::new()).await?;
    for result in created {
        result.map_err(|(topic, error)| format!("{topic}: {error}"))?;
    }
    Ok(())
}

async fn next(reports: &mut mpsc::UnboundedReceiver<Report>) -> Result<Report, Failure> {
    let report = tokio::time::timeout(PATIENCE, reports.recv()).await?;
    Ok(report.ok_or("the command API has ended")?)
}

#[tokio::test]
async fn shipments_are_dispatched_and_delivered_once() -> Outcome {
    let scratch = Scratch::new()?;
    let options = KafkaOptions {
        data_dir: scratch.path().join("kafka"),
        port: None,
        performance: false,
        proxy_port: None,
    };
    let kafka = tokio::task::spawn_blocking(|| Kafka::start(options)).await??;
    let brokers = kafka.brokers();
    let (command_url, mut reports) = command_api().await?;
    let options = CarrierOptions {
        command_url,
        brokers: brokers.clone(),
        properties: vec![("client.id".to_owned(), "carrier".to_owned())],
        namespace: "test.".to_owned(),
        delay: Duration::from_millis(20),
    };

    // It is there before its topic is.
    let (stop, carrier) = start(options.clone());
    create_topic(&brokers).await?;
    produce(&brokers, "ShipmentCreated", "e-1", DELAYED).await?;
    assert_eq!(
        next(&mut reports).await?,
        Report {
            path: format!("/v1/shipments/{DELAYED}/dispatch"),
            key: "carrier-e-1".to_owned(),
            body: json!({"carrier": "Simulated Parcel", "tracking_number": "SP-01900000"}),
        }
    );
    produce(&brokers, "DispatchRequested", "e-2", DELAYED).await?;
    produce(&brokers, "ShipmentDispatched", "e-3", DELAYED).await?;
    assert_eq!(
        next(&mut reports).await?,
        Report {
            path: format!("/v1/shipments/{DELAYED}/deliver"),
            key: "carrier-e-3".to_owned(),
            body: Value::Null,
        }
    );
    produce(&brokers, "ShipmentCreated", "e-4", UNKNOWN).await?;
    assert_eq!(next(&mut reports).await?.key, "carrier-e-4");
    let _ = stop.send(());
    carrier.await??;

    // The next one goes on where this one was.
    produce(&brokers, "ShipmentCreated", "e-5", LATER).await?;
    let (stop, carrier) = start(options);
    let again = next(&mut reports).await?.key;
    // The answer to e-4 may not have been read when the first carrier ended.
    let fresh = match again.as_str() {
        "carrier-e-4" => next(&mut reports).await?.key,
        _ => again,
    };
    assert_eq!(fresh, "carrier-e-5");
    let _ = stop.send(());
    carrier.await??;
    tokio::task::spawn_blocking(move || kafka.stop()).await??;
    Ok(())
}
