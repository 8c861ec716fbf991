//! Whether money was conserved: computed from the log and from the gateway's own books, by code that knows nothing of the
//! payment service's own.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use domain::{
    order::OrderEvent,
    payment::PaymentEvent,
    topics::{ORDER_EVENTS, PAYMENT_EVENTS},
};
use event_store::kafka::KafkaLog;
use serde_json::Value;

use crate::{Client, journal::read_topic};

/// How long payments may take to come to rest on a busy machine; reconciling alone may take a minute.
const REST_WITHIN: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(250);

/// An order, as far as money is concerned.
#[derive(Debug, Default, Clone)]
pub struct Bill {
    total: i64,
    confirmed: bool,
    /// A payment is asked for, or the money is to be taken, and nothing has come of it yet.
    waits: bool,
    /// What was shipped.
    pub shipped: bool,
    /// It was called off.
    pub cancelled: bool,
}

/// A payment, as the log tells it.
#[derive(Debug, Default, Clone)]
pub struct Payment {
    order_id: String,
    authorised: i64,
    captured: i64,
    refunded: i64,
    voided: bool,
    captures: u32,
    /// The gateway was asked, and nothing is known.
    waits: bool,
}

/// What the log says of money when nothing moves any more.
#[derive(Debug, Default)]
pub struct Money {
    /// By order.
    pub bills: BTreeMap<String, Bill>,
    /// By payment.
    pub payments: BTreeMap<String, Payment>,
}

impl Money {
    /// Waits until no payment is under way any more, and checks that each order has paid exactly for what was shipped, that
    /// nothing was taken twice, and that the gateway's books say the same.
    pub async fn at_rest(log: &KafkaLog, gateway_url: &str) -> Self {
        let begun = Instant::now();
        let gateway = Client::new(gateway_url);
        loop {
            let money = Self::read(log).await;
            let books = gateway.get("/books").await.expect("the gateway answers");
            let complaint = money
                .complaint()
                .or_else(|| money.disagreement(&books.body));
            match complaint {
                None => return money,
                Some(complaint) => assert!(
                    begun.elapsed() < REST_WITHIN,
                    "not at rest, or not conserved: {complaint}\n{money:#?}"
                ),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn read(log: &KafkaLog) -> Self {
        let mut money = Self::default();
        // Payments first: what an order claims later than this read is then missing, and the next read finds it.
        for recorded in read_topic::<PaymentEvent>(log, PAYMENT_EVENTS).await {
            money.pay(&recorded.event);
        }
        for recorded in read_topic::<OrderEvent>(log, ORDER_EVENTS).await {
            money.bill(&recorded.event);
        }
        money
    }

    fn pay(&mut self, event: &PaymentEvent) {
        use domain::Event as _;
        let stream = event.stream();
        let payment = self
            .payments
            .entry(stream.payment_id.to_string())
            .or_default();
        payment.order_id = stream.order_id.to_string();
        match event {
            PaymentEvent::Started(_)
            | PaymentEvent::CaptureRequested(_)
            | PaymentEvent::VoidRequested(_)
            | PaymentEvent::RefundRequested(_) => payment.waits = true,
            PaymentEvent::Authorised(event) => {
                payment.authorised += event.amount.amount();
                payment.waits = false;
            }
            PaymentEvent::Captured(event) => {
                payment.captured += event.amount.amount();
                payment.captures += 1;
                payment.waits = false;
            }
            PaymentEvent::Refunded(event) => {
                payment.refunded += event.amount.amount();
                payment.waits = false;
            }
            PaymentEvent::Voided(_) => {
                payment.voided = true;
                payment.waits = false;
            }
            PaymentEvent::Declined(_) | PaymentEvent::CaptureRefused(_) => payment.waits = false,
            PaymentEvent::Requested(_)
            | PaymentEvent::Cancelled(_)
            | PaymentEvent::Unresolved(_)
            | PaymentEvent::Reconciling(_)
            | PaymentEvent::Stuck(_) => {}
        }
    }

    fn bill(&mut self, event: &OrderEvent) {
        let bill = self.bills.entry(event.order_id().to_string()).or_default();
        match event {
            OrderEvent::Placed(placed) => bill.total = placed.totals.total.amount(),
            OrderEvent::Confirmed(_) => bill.confirmed = true,
            OrderEvent::PaymentPending(_) | OrderEvent::DispatchApproved(_) => bill.waits = true,
            OrderEvent::Paid(_) | OrderEvent::PaymentFailed(_) | OrderEvent::CaptureRefused(_) => {
                bill.waits = false;
            }
            OrderEvent::Shipped(_) => (bill.shipped, bill.waits) = (true, false),
            OrderEvent::Cancelled(_) => (bill.cancelled, bill.waits) = (true, false),
            _ => {}
        }
    }

    fn complaint(&self) -> Option<String> {
        for (payment_id, payment) in &self.payments {
            if payment.waits {
                return Some(format!("payment {payment_id} is under way"));
            }
            if payment.captures > 1 {
                return Some(format!("payment {payment_id} was taken twice"));
            }
            let order_id = &payment.order_id;
            let Some(bill) = self.bills.get(order_id) else {
                return Some(format!(
                    "payment {payment_id} is of order {order_id}, which nobody has placed"
                ));
            };
            if payment.captured > 0 && !bill.confirmed {
                return Some(format!(
                    "payment {payment_id} was taken for goods that nobody holds"
                ));
            }
            let is_open = payment.authorised > 0 && payment.captured == 0 && !payment.voided;
            if bill.cancelled && is_open {
                return Some(format!(
                    "payment {payment_id} of a cancelled order is set aside"
                ));
            }
        }
        self.bills.iter().find_map(|(order_id, bill)| {
            if bill.waits {
                return Some(format!("order {order_id} waits for its payment"));
            }
            let payments = self.payments.values();
            let theirs = payments.filter(|payment| payment.order_id == *order_id);
            let paid: i64 = theirs
                .map(|payment| payment.captured - payment.refunded)
                .sum();
            let due = if bill.shipped { bill.total } else { 0 };
            (paid != due).then(|| format!("order {order_id} has paid {paid}, not {due}"))
        })
    }

    /// Where the gateway's books say something else.
    fn disagreement(&self, books: &Value) -> Option<String> {
        let theirs = books["payments"].as_array().expect("books");
        let of_ours = theirs.iter().filter(|payment| {
            let order_id = payment["order_id"].as_str().unwrap_or_default();
            self.bills.contains_key(order_id)
        });
        for booked in of_ours {
            let payment_id = booked["payment_id"].as_str().unwrap_or_default();
            let Some(payment) = self.payments.get(payment_id) else {
                return Some(format!(
                    "the gateway knows a payment that we do not: {booked}"
                ));
            };
            let amounts = (booked["captured"].as_i64(), booked["refunded"].as_i64());
            let expected = (Some(payment.captured), Some(payment.refunded));
            if amounts != expected {
                return Some(format!(
                    "payment {payment_id}: {payment:?}, but booked {booked}"
                ));
            }
            let is_held = booked["authorised"].as_i64() > Some(0)
                && booked["voided"] == false
                && payment.captured == 0;
            if is_held && (payment.authorised == 0 || payment.voided) {
                return Some(format!("the gateway holds what nobody asks for: {booked}"));
            }
        }
        None
    }
}
