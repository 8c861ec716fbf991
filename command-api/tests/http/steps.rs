//! What policies do, by hand and one step at a time.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Context,
    ids::OrderId,
    order::{
        ConfirmOrder, MarkOrderStuck, OrderCommand, RejectOrder, RequestInventory, SettlePayment,
        Settlement,
    },
};
use event_store::{CommandMetadata, EventStore, Request};
use uuid::Uuid;

use crate::api::Api;

impl Api {
    /// When an order was placed, and everything is in stock.
    pub(crate) async fn confirm(&self, id: &str) {
        self.check(id).await;
        let confirm = OrderCommand::Confirm(ConfirmOrder {
            order_id: order_id(id),
            payment_due_at: later(),
            confirmed_at: Utc::now(),
        });
        carry_out(&self.orders, confirm).await;
    }

    /// When something is not in stock.
    pub(crate) async fn reject(&self, id: &str) {
        self.check(id).await;
        let reject = OrderCommand::Reject(RejectOrder {
            order_id: order_id(id),
            shortages: vec![],
            rejected_at: Utc::now(),
        });
        carry_out(&self.orders, reject).await;
    }

    /// When the money of its last payment is set aside.
    pub(crate) async fn authorise(&self, id: &str) {
        let events = self.events();
        let pending = events.iter().rfind(|event| {
            event.header("ce_type") == "OrderPaymentPending" && event.payload["order_id"] == id
        });
        let payment_id = pending.and_then(|event| event.payload["payment_id"].as_str());
        let payment_id = payment_id.expect("a payment is under way");
        let settle = OrderCommand::SettlePayment(SettlePayment {
            order_id: order_id(id),
            payment_id: payment_id.parse().expect("a payment's id"),
            settlement: Settlement::Authorised,
            settled_at: Utc::now(),
        });
        carry_out(&self.orders, settle).await;
    }

    /// When it cannot go on.
    pub(crate) async fn mark_stuck(&self, id: &str) {
        let mark_stuck = OrderCommand::MarkStuck(MarkOrderStuck {
            order_id: order_id(id),
            payment_id: None,
            reason: "nobody knows".parse().expect("a reason"),
            stuck_at: Utc::now(),
        });
        carry_out(&self.orders, mark_stuck).await;
    }

    async fn check(&self, id: &str) {
        let request = OrderCommand::RequestInventory(RequestInventory {
            order_id: order_id(id),
            lines: vec![],
            stock_due_at: later(),
        });
        carry_out(&self.orders, request).await;
    }
}

/// Has a service carry out what its policy asks.
pub(crate) async fn carry_out<C: Context>(store: &EventStore<C>, command: C::Command) {
    let id = Uuid::now_v7();
    let metadata = CommandMetadata {
        command_id: id,
        command_hash: id,
        correlation_id: id,
        causation_id: id,
        actor: "policy".into(),
        time: Utc::now(),
        traceparent: None,
        expected_version: None,
    };
    let accepted = store.execute(Request { command, metadata }).await;
    accepted.expect("a policy's command is accepted");
}

fn order_id(id: &str) -> OrderId {
    id.parse().expect("an order's id")
}

fn later() -> DateTime<Utc> {
    Utc::now() + TimeDelta::hours(1)
}
