//! What a payment gateway can do, and one that is reached over HTTP.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use domain::{
    ids::{OrderId, PaymentId},
    money::{Currency, Money},
    payment::{
        GatewayCode, GatewayDetail, GatewayOutcome, GatewayRef, GatewayRequest, Operation,
        PaymentStream,
    },
};
use reqwest::{Client, StatusCode, Url};
use runtime::object;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::outage::{Outage, cause};

/// A whole exchange: what follows in the partition waits for it, and what takes longer is looked into later.
pub(super) const TIMEOUT: Duration = Duration::from_secs(3);
/// How often a request is sent at once that was surely not carried out.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);
/// By these a gateway does not take a request as it is, and will not the next time.
const REFUSALS: [StatusCode; 3] = [
    StatusCode::BAD_REQUEST,
    StatusCode::PAYMENT_REQUIRED,
    StatusCode::UNPROCESSABLE_ENTITY,
];
/// Far more than any answer has.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A payment gateway. Every request has a name, and is carried out once however often it is sent.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Sends a request; [`GatewayOutcome::Unknown`] where no definite answer was heard.
    async fn send(&self, request_id: Uuid, order: &GatewayOrder) -> GatewayOutcome;

    /// What became of a request; none where the gateway does not know it.
    async fn ask(&self, request_id: Uuid, operation: Operation) -> Option<GatewayOutcome>;
}

/// A request as the gateway gets it.
#[derive(Debug, Clone)]
pub struct GatewayOrder {
    /// Whose payment it is.
    pub stream: PaymentStream,
    /// What is to be done.
    pub request: GatewayRequest<OpenedMethod>,
}

/// A payment method that was opened. It is a secret, so it is never shown.
#[derive(Clone)]
pub struct OpenedMethod(pub(super) String);

impl OpenedMethod {
    /// The gateway's token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OpenedMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenedMethod(…)")
    }
}

/// A gateway that is reached over HTTP.
#[derive(Debug, Clone)]
pub struct HttpGateway {
    client: Client,
    base: Url,
    outage: Arc<Outage>,
}

/// Not the address of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an address such as http://127.0.0.1:8083")]
pub struct InvalidGatewayUrl;

impl HttpGateway {
    /// The gateway at an address; nothing is asked of it yet.
    ///
    /// # Errors
    /// When it is no http or https address.
    pub fn new(url: &str) -> Result<Self, InvalidGatewayUrl> {
        let base = Url::parse(url).map_err(|_| InvalidGatewayUrl)?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(InvalidGatewayUrl);
        }
        let client = Client::builder().timeout(TIMEOUT).build();
        Ok(Self {
            client: client.map_err(|_| InvalidGatewayUrl)?,
            base,
            outage: Arc::default(),
        })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }

    async fn post(&self, request_id: Uuid, order: &GatewayOrder) -> Heard {
        let (path, body) = request(request_id, order);
        let request = self
            .client
            .post(self.url(path))
            .header("idempotency-key", request_id.to_string())
            .json(&body);
        match request.send().await {
            Ok(response) => heard(response, order.request.operation()).await,
            Err(error) if error.is_connect() => Heard::NotCarriedOut(cause(&error)),
            Err(error) => Heard::Nothing(cause(&error)),
        }
    }

    /// The first of many requests without an answer is worth a line.
    fn unanswered(&self, request_id: Uuid, reason: &str) {
        tracing::debug!(%request_id, reason, "the gateway gave no answer");
        if let Some(requests) = self.outage.go_on(Instant::now()) {
            let (host, port) = (self.base.host_str(), self.base.port_or_known_default());
            tracing::warn!(
                host,
                port,
                reason,
                requests,
                "the gateway gives no definite answer"
            );
        }
    }

    fn answered(&self) {
        if let Some(more) = self.outage.end() {
            tracing::info!(more, "the gateway answers again");
        }
    }
}

#[async_trait]
impl Gateway for HttpGateway {
    async fn send(&self, request_id: Uuid, order: &GatewayOrder) -> GatewayOutcome {
        let operation = order.request.operation().as_str();
        for tried in 1..=TRIES {
            match self.post(request_id, order).await {
                Heard::Outcome(outcome) => {
                    self.answered();
                    return outcome;
                }
                Heard::NotCarriedOut(reason) if tried < TRIES => {
                    tracing::debug!(operation, %request_id, reason, "the gateway is asked again");
                    tokio::time::sleep(PAUSE * tried).await;
                }
                Heard::NotCarriedOut(reason) | Heard::Nothing(reason) => {
                    self.unanswered(request_id, &reason);
                    break;
                }
            }
        }
        GatewayOutcome::Unknown
    }

    async fn ask(&self, request_id: Uuid, operation: Operation) -> Option<GatewayOutcome> {
        let url = self.url(&format!("/v1/requests/{request_id}"));
        let answer = match self.client.get(url).send().await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => {
                self.answered();
                return None;
            }
            // Whatever else is not a success says nothing of the request, only of the question.
            Ok(response) if !response.status().is_success() => {
                Heard::Nothing(format!("answered {}", response.status()))
            }
            Ok(response) => heard(response, operation).await,
            Err(error) => Heard::Nothing(cause(&error)),
        };
        Some(match answer {
            Heard::Outcome(outcome) => {
                self.answered();
                outcome
            }
            Heard::NotCarriedOut(reason) | Heard::Nothing(reason) => {
                self.unanswered(request_id, &reason);
                GatewayOutcome::Unknown
            }
        })
    }
}

/// What came back.
enum Heard {
    /// A definite answer.
    Outcome(GatewayOutcome),
    /// No answer, and surely nothing done: sending it again at once is worth it.
    NotCarriedOut(String),
    /// It may have been carried out or not.
    Nothing(String),
}

fn request(request_id: Uuid, order: &GatewayOrder) -> (&'static str, Value) {
    let PaymentStream {
        payment_id,
        order_id,
    } = order.stream;
    let (path, more) = match &order.request {
        GatewayRequest::Authorise { amount, method } => (
            "/v1/authorisations",
            json!({"amount": amount, "payment_method": method.as_str()}),
        ),
        GatewayRequest::Capture {
            amount,
            gateway_ref,
        } => (
            "/v1/captures",
            json!({"amount": amount, "reference": gateway_ref}),
        ),
        GatewayRequest::Void { authorisation } => {
            ("/v1/voids", json!({"authorisation": authorisation}))
        }
        GatewayRequest::Refund {
            amount,
            gateway_ref,
        } => (
            "/v1/refunds",
            json!({"amount": amount, "reference": gateway_ref}),
        ),
    };
    let mut body =
        json!({"request_id": request_id, "payment_id": payment_id, "order_id": order_id});
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    (path, body)
}

async fn heard(response: reqwest::Response, operation: Operation) -> Heard {
    let status = response.status();
    let body = match body(response).await {
        Ok(body) => body,
        Err(reason) => return Heard::Nothing(reason),
    };
    if status.is_success() {
        return match outcome(&body, operation) {
            Some(outcome) => Heard::Outcome(outcome),
            None => Heard::Nothing("an answer that cannot be read".to_owned()),
        };
    }
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Heard::NotCarriedOut(format!("answered {status}"));
    }
    // Anything else is about us, or about what lies between, and says nothing of what may have been done before.
    if !REFUSALS.contains(&status) {
        return Heard::Nothing(format!("answered {status}"));
    }
    let problem: GatewayProblem = serde_json::from_slice(&body).unwrap_or_default();
    Heard::Outcome(GatewayOutcome::Refused {
        code: GatewayCode::cut(&problem.code).unwrap_or_else(|| text("gateway-rejected")),
        detail: GatewayDetail::cut(&problem.detail)
            .unwrap_or_else(|| text("the gateway did not take the request")),
    })
}

async fn body(mut response: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err("an answer that is too long".to_owned());
        }
    }
    Ok(body)
}

/// An error as gateways tell it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct GatewayProblem {
    code: String,
    detail: String,
}

/// An outcome as the gateway tells it, in answers and in webhooks.
#[derive(Debug, Deserialize)]
pub(super) struct ToldOutcome {
    pub(super) status: String,
    #[serde(default)]
    reference: Option<String>,
    #[serde(default, deserialize_with = "object::optional")]
    amount: Option<ToldMoney>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    detail: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct ToldMoney {
    amount: i64,
    currency: String,
}

fn outcome(body: &[u8], operation: Operation) -> Option<GatewayOutcome> {
    let told: ToldOutcome = serde_json::from_slice(body).ok()?;
    told.outcome(operation)
}

impl ToldOutcome {
    /// What it says, where that can be an answer to the question.
    pub(super) fn outcome(&self, operation: Operation) -> Option<GatewayOutcome> {
        match (operation, self.status.as_str()) {
            (Operation::Authorise, "authorised") => Some(GatewayOutcome::Authorised {
                amount: self.amount()?,
                gateway_ref: GatewayRef::cut(self.reference.as_deref()?)?,
            }),
            (Operation::Capture, "captured") => Some(GatewayOutcome::Captured {
                amount: self.amount()?,
            }),
            (Operation::Void, "voided") => Some(GatewayOutcome::Voided),
            (Operation::Refund, "refunded") => Some(GatewayOutcome::Refunded {
                amount: self.amount()?,
            }),
            (_, "declined" | "refused") => Some(GatewayOutcome::Refused {
                code: GatewayCode::cut(self.code.as_deref()?)?,
                detail: self
                    .detail
                    .as_deref()
                    .and_then(GatewayDetail::cut)
                    .unwrap_or_else(|| text("the gateway gave no reason")),
            }),
            _ => None,
        }
    }

    fn amount(&self) -> Option<Money> {
        let told = self.amount.as_ref()?;
        let currency: Currency = told.currency.parse().ok()?;
        Money::new(told.amount, currency).ok()
    }
}

fn text<const MAX: usize>(text: &str) -> domain::text::Text<MAX> {
    text.parse().expect("it is short and printable")
}

/// A request and its outcome, as webhooks tell them.
#[derive(Debug, Deserialize)]
pub(super) struct ToldRequest {
    pub(super) request_id: Uuid,
    pub(super) payment_id: PaymentId,
    pub(super) order_id: OrderId,
    pub(super) operation: Operation,
    #[serde(flatten)]
    pub(super) told: ToldOutcome,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_a_path_is_asked_for_there() {
        for (base, asked) in [
            ("http://127.0.0.1:8083", "http://127.0.0.1:8083/v1/captures"),
            (
                "https://gateway.example/api/",
                "https://gateway.example/api/v1/captures",
            ),
        ] {
            let gateway = HttpGateway::new(base).expect("an address");
            assert_eq!(gateway.url("/v1/captures").as_str(), asked);
        }
    }
}
