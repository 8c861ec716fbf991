//! Webhooks to other systems, signed as Standard Webhooks says.

use chrono::{DateTime, Utc};
use domain::{
    ids::{NotificationId, OrderId},
    notification::{DeliveryOutcome, Template, WebhookUrl},
};
use reqwest::{Client, header::CONTENT_TYPE, redirect::Policy};
use runtime::signature::Secret;
use serde::Serialize;
use uuid::Uuid;

use super::delivery::{Outgoing, failed, timed_out, undeliverable};

/// Tells other systems over HTTP. Any answer of success counts, whatever it says.
#[derive(Debug, Clone)]
pub struct WebhookSender {
    client: Client,
    secret: Secret,
}

/// What is told.
#[derive(Debug, Serialize)]
struct Body {
    id: NotificationId,
    #[serde(rename = "type")]
    kind: &'static str,
    order_id: OrderId,
    event_id: Uuid,
    occurred_at: DateTime<Utc>,
}

impl WebhookSender {
    /// Signs with this secret.
    ///
    /// # Panics
    /// When this machine's TLS library cannot be set up.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        let client = Client::builder()
            .user_agent("offset-zero")
            // Who registered an address did not register where it points to.
            .redirect(Policy::none())
            .build()
            .expect("TLS can be set up");
        Self { client, secret }
    }

    pub(super) async fn send(&self, outgoing: &Outgoing, target: &WebhookUrl) -> DeliveryOutcome {
        let id = outgoing.notification_id.to_string();
        let body = body(outgoing);
        let mut request = self
            .client
            .post(target.as_str())
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in self.secret.headers(&id, Utc::now(), &body) {
            request = request.header(name, value);
        }
        let request = request.body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => DeliveryOutcome::Sent,
            Ok(answer) => failed(&format!("answered {}", answer.status().as_u16())),
            Err(error) if error.is_builder() => undeliverable("the address is none"),
            Err(error) if error.is_timeout() => failed(&timed_out()),
            Err(error) if error.is_connect() => failed("cannot be reached"),
            Err(_) => failed("the connection broke off"),
        }
    }
}

fn body(outgoing: &Outgoing) -> Vec<u8> {
    let body = Body {
        id: outgoing.notification_id,
        kind: kind(outgoing.message.template),
        order_id: outgoing.order_id,
        event_id: outgoing.message.event_id,
        occurred_at: outgoing.message.occurred_at,
    };
    serde_json::to_vec(&body).expect("ids and times can be written")
}

/// Receivers go by it: never renamed.
const fn kind(template: Template) -> &'static str {
    match template {
        Template::OrderConfirmation => "order.placed",
        Template::Payment => "order.paid",
        Template::Shipped => "order.shipped",
        Template::Delivered => "order.delivered",
        Template::Cancelled => "order.cancelled",
        Template::Refunded => "order.refunded",
    }
}

#[cfg(test)]
mod tests;
