//! What is simulated, as processes of their own. The binaries have to be built: `cargo build --workspace --bins`.

use std::time::Duration;

use dev::deployment::{GatewayFlags, Server, ServiceOutput, Wiring};
use dev::dirs::Scratch;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

type Failure = Box<dyn std::error::Error>;
type Outcome = Result<(), Failure>;

fn wiring(scratch: &Scratch) -> Result<Wiring, Failure> {
    Ok(Wiring {
        brokers: format!("127.0.0.1:{}", dev::ports::free()?),
        kafka_properties: String::new(),
        database_url: String::new(),
        namespace: String::new(),
        partitions: 1,
        gateway_url: String::new(),
        output: ServiceOutput::Folder(scratch.path().to_owned()),
    })
}

async fn authorise(gateway: &Server) -> reqwest::Result<Value> {
    let body = json!({
        "request_id": "a", "payment_id": "p", "order_id": "o",
        "amount": {"amount": 1, "currency": "EUR"}, "payment_method": "tok_visa",
    });
    let url = format!("{}/v1/authorisations", gateway.url);
    let request = reqwest::Client::new().post(url);
    let request = request.header("idempotency-key", "a").json(&body);
    request.send().await?.json().await
}

#[tokio::test]
async fn a_gateway_that_is_killed_still_knows_its_payments() -> Outcome {
    let scratch = Scratch::new()?;
    let wiring = wiring(&scratch)?;
    let books = scratch.path().join("books.jsonl");
    let flags = GatewayFlags {
        webhook: Some(("http://127.0.0.1:9/", "nobody listens there")),
        books: Some(&books),
    };
    let gateway = wiring.gateway(None, &flags)?;
    gateway.wait_ready()?;
    let authorised = authorise(&gateway).await?;
    assert_eq!(authorised["status"], "authorised");
    gateway.service.kill()?;
    // As if the kill had come in the middle of the next line.
    let torn = std::fs::read_to_string(&books)? + r#"{"request": {"requ"#;
    std::fs::write(&books, torn)?;

    let gateway = wiring.gateway(None, &flags)?;
    gateway.wait_ready()?;
    assert_eq!(authorise(&gateway).await?, authorised);
    gateway.service.stop()?;
    Ok(())
}

#[test]
fn a_carrier_waits_for_its_kafka_and_ends_when_told() -> Outcome {
    let scratch = Scratch::new()?;
    let carrier = wiring(&scratch)?.carrier("http://127.0.0.1:9", Duration::from_millis(10))?;
    // In all that it has said: without a Kafka it says much.
    let begun = carrier
        .process()
        .wait_until_said("carrying shipments", PATIENCE);
    assert!(begun, "{}", carrier.process().log_tail(20));
    carrier.stop()?;
    let status = carrier.process().exit_status();
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    Ok(())
}
