//! What may have happened to an order.

use chrono::{DateTime, Utc};

use super::{
    at, completes_at, contact, lines, method, order_id, payment_due_at, payment_id,
    shipping_address, shortages, stock_due_at, total, units,
};
use crate::{
    money::Money,
    order::{
        Awaited, DispatchApproved, DispatchRefused, InventoryRequested, OrderCancelled,
        OrderCaptureRefused, OrderCompleted, OrderConfirmed, OrderDelivered, OrderEvent,
        OrderExpired, OrderLines, OrderPaid, OrderPaymentFailed, OrderPaymentPending,
        OrderPersonal, OrderPlaced, OrderRejected, OrderResumed, OrderShipped, OrderStuck,
        PaymentKept,
    },
    payment::PaymentRequested,
    personal::Personal,
    product::reservation::InventoryCheck,
};

pub(in crate::order) fn placed(lines: &OrderLines) -> OrderEvent {
    OrderEvent::Placed(Box::new(OrderPlaced {
        order_id: order_id(),
        customer_id: "ada".parse().unwrap(),
        lines: lines.as_slice().to_vec(),
        totals: lines.totals(),
        personal: Personal::clear(OrderPersonal {
            shipping_address: shipping_address(),
            contact: contact(),
        }),
        placed_at: at(0),
    }))
}

pub(in crate::order) fn paid(payment: u128, amount: Money) -> OrderEvent {
    OrderEvent::Paid(OrderPaid {
        order_id: order_id(),
        payment_id: payment_id(payment),
        amount,
        paid_at: at(9),
    })
}

/// Called off, with nothing to undo.
pub(in crate::order) fn cancelled() -> OrderEvent {
    cancelled_with(None)
}

/// Called off, and what was done of a payment is undone.
pub(in crate::order) fn cancelled_with(payment: Option<u128>) -> OrderEvent {
    OrderEvent::Cancelled(OrderCancelled {
        order_id: order_id(),
        payment_id: payment.map(payment_id),
        reason: Some("changed my mind".parse().unwrap()),
        cancelled_at: at(2),
    })
}

pub(in crate::order) fn requested(stock_due_at: DateTime<Utc>) -> OrderEvent {
    OrderEvent::InventoryRequested(InventoryRequested {
        order_id: order_id(),
        lines: OrderLines::units(lines().as_slice()),
        stock_due_at,
    })
}

pub(in crate::order) fn check() -> OrderEvent {
    OrderEvent::InventoryCheck(InventoryCheck {
        order_id: order_id(),
        lines: OrderLines::units(lines().as_slice()),
    })
}

pub(in crate::order) fn kept(payment: u128) -> OrderEvent {
    OrderEvent::PaymentKept(PaymentKept {
        order_id: order_id(),
        payment_id: payment_id(payment),
        method: method(),
        kept_at: at(1),
    })
}

pub(in crate::order) fn confirmed() -> OrderEvent {
    OrderEvent::Confirmed(OrderConfirmed {
        order_id: order_id(),
        payment_due_at: payment_due_at(),
        confirmed_at: at(3),
    })
}

pub(in crate::order) fn rejected() -> OrderEvent {
    OrderEvent::Rejected(OrderRejected {
        order_id: order_id(),
        shortages: shortages(),
        rejected_at: at(3),
    })
}

pub(in crate::order) fn expired(awaited: Awaited, expired_at: DateTime<Utc>) -> OrderEvent {
    OrderEvent::Expired(OrderExpired {
        order_id: order_id(),
        awaited,
        expired_at,
    })
}

pub(in crate::order) fn stuck() -> OrderEvent {
    stuck_by(None)
}

pub(in crate::order) fn stuck_by(payment: Option<u128>) -> OrderEvent {
    OrderEvent::Stuck(OrderStuck {
        order_id: order_id(),
        payment_id: payment.map(payment_id),
        reason: "nobody answers".parse().unwrap(),
        stuck_at: at(5),
    })
}

/// Tried again, with no payment.
pub(in crate::order) fn resumed() -> OrderEvent {
    resumed_with(None)
}

/// Tried again, and a payment too.
pub(in crate::order) fn resumed_with(payment: Option<u128>) -> OrderEvent {
    OrderEvent::Resumed(OrderResumed {
        order_id: order_id(),
        payment_id: payment.map(payment_id),
        resumed_at: at(6),
    })
}

/// Tried again by the cancel that has it undone.
pub(in crate::order) fn resumed_by_cancel(payment: u128) -> OrderEvent {
    OrderEvent::Resumed(OrderResumed {
        order_id: order_id(),
        payment_id: Some(payment_id(payment)),
        resumed_at: at(2),
    })
}

/// The payment service is asked for the money, by the order's how many-th payment.
pub(in crate::order) fn asked(payment: u128, attempt: u32, hours: i64) -> [OrderEvent; 2] {
    [
        pending(payment, attempt, hours),
        payment_requested(payment, attempt, hours),
    ]
}

pub(in crate::order) fn pending(payment: u128, attempt: u32, hours: i64) -> OrderEvent {
    OrderEvent::PaymentPending(OrderPaymentPending {
        order_id: order_id(),
        payment_id: payment_id(payment),
        attempt,
        amount: total(),
        method: method(),
        pending_at: at(hours),
    })
}

pub(in crate::order) fn payment_requested(payment: u128, attempt: u32, hours: i64) -> OrderEvent {
    OrderEvent::PaymentRequested(PaymentRequested {
        payment_id: payment_id(payment),
        order_id: order_id(),
        attempt,
        amount: total(),
        method: method(),
        requested_at: at(hours),
    })
}

pub(in crate::order) fn failed(payment: u128) -> OrderEvent {
    OrderEvent::PaymentFailed(OrderPaymentFailed {
        order_id: order_id(),
        payment_id: payment_id(payment),
        code: "card-declined".parse().unwrap(),
        detail: "the card was declined".parse().unwrap(),
        failed_at: at(9),
    })
}

pub(in crate::order) fn approved(hours: i64) -> OrderEvent {
    OrderEvent::DispatchApproved(DispatchApproved {
        order_id: order_id(),
        payment_id: payment_id(1),
        amount: total(),
        approved_at: at(hours),
    })
}

pub(in crate::order) fn dispatch_refused() -> OrderEvent {
    OrderEvent::DispatchRefused(DispatchRefused {
        order_id: order_id(),
        refused_at: at(10),
    })
}

pub(in crate::order) fn capture_refused() -> OrderEvent {
    OrderEvent::CaptureRefused(OrderCaptureRefused {
        order_id: order_id(),
        payment_id: payment_id(1),
        code: "expired".parse().unwrap(),
        refused_at: at(11),
    })
}

/// Stuck, since the money could not be taken.
pub(in crate::order) fn stuck_by_capture() -> OrderEvent {
    OrderEvent::Stuck(OrderStuck {
        order_id: order_id(),
        payment_id: Some(payment_id(1)),
        reason: "the authorisation has expired".parse().unwrap(),
        stuck_at: at(11),
    })
}

pub(in crate::order) fn shipped() -> OrderEvent {
    OrderEvent::Shipped(OrderShipped {
        order_id: order_id(),
        amount: total(),
        units: units(),
        shipped_at: at(12),
    })
}

pub(in crate::order) fn delivered() -> OrderEvent {
    OrderEvent::Delivered(OrderDelivered {
        order_id: order_id(),
        completes_at: completes_at(),
        delivered_at: at(13),
    })
}

pub(in crate::order) fn completed() -> OrderEvent {
    OrderEvent::Completed(OrderCompleted {
        order_id: order_id(),
        completed_at: completes_at(),
    })
}

/// The history of an order whose stock is being looked for.
pub(in crate::order) fn checking() -> Vec<OrderEvent> {
    vec![placed(&lines()), requested(stock_due_at()), check()]
}

/// The history of an order whose stock is set aside.
pub(in crate::order) fn awaiting_payment() -> Vec<OrderEvent> {
    [checking(), vec![confirmed()]].concat()
}

/// The history of an order whose money is asked for.
pub(in crate::order) fn paying() -> Vec<OrderEvent> {
    [awaiting_payment(), asked(1, 1, 1).into()].concat()
}

/// The history of an order that is paid.
pub(in crate::order) fn sold() -> Vec<OrderEvent> {
    [paying(), vec![paid(1, total())]].concat()
}

/// The history of an order whose goods may leave.
pub(in crate::order) fn dispatching() -> Vec<OrderEvent> {
    [sold(), vec![approved(10)]].concat()
}

/// The history of an order whose goods may leave, but whose money could not be taken.
pub(in crate::order) fn refused() -> Vec<OrderEvent> {
    [dispatching(), vec![capture_refused(), stuck_by_capture()]].concat()
}

/// Histories of orders whose goods have left.
pub(in crate::order) fn gone() -> [Vec<OrderEvent>; 3] {
    [
        [dispatching(), vec![shipped()]].concat(),
        [dispatching(), vec![shipped(), delivered()]].concat(),
        [dispatching(), vec![shipped(), delivered(), completed()]].concat(),
    ]
}

/// Histories of orders that were called off: before they were paid, meanwhile, and after.
pub(in crate::order) fn called_off() -> [Vec<OrderEvent>; 3] {
    [
        [checking(), vec![cancelled()]].concat(),
        [paying(), vec![cancelled_with(Some(1))]].concat(),
        [sold(), vec![cancelled_with(Some(1))]].concat(),
    ]
}

/// Histories of orders that have ended, other than by being cancelled.
pub(in crate::order) fn ended() -> [Vec<OrderEvent>; 3] {
    [
        [checking(), vec![rejected()]].concat(),
        [checking(), vec![expired(Awaited::Stock, stock_due_at())]].concat(),
        [
            awaiting_payment(),
            vec![expired(Awaited::Payment, payment_due_at())],
        ]
        .concat(),
    ]
}

/// Orders that wait for no answer of the product service any more.
pub(in crate::order) fn past_checking() -> Vec<Vec<OrderEvent>> {
    let open = [
        awaiting_payment(),
        paying(),
        sold(),
        dispatching(),
        refused(),
    ];
    let histories = open.into_iter().chain(gone()).chain(called_off());
    histories.chain(ended()).collect()
}
