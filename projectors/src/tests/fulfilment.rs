//! From payment to delivery: what is asked of three services for one order, each service's in its order.

use chrono::TimeDelta;
use domain::{
    ids::{OrderId, ShipmentId, gateway_request_id},
    order::OrderCommand,
    payment::{
        CancelPayment, CapturePayment, GatewayOutcome, Operation, PaymentCommand, PaymentRequested,
        RecordOutcome, StartPayment,
    },
    product::stock::Location,
    quantity::Quantity,
    shipping::{
        CancelShipment, Carriage, CreateShipment, DeliverShipment, DispatchShipment, FailShipment,
        PlanShipment, RequestDispatch, ShipmentLine, ShippingCommand,
    },
};
use uuid::Uuid;

use super::commands::{self as ask, address, in_an_hour, method, now, payment_id, price, sku};

/// What becomes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It is delivered, at the second try.
    Delivered,
    /// The gateway does not answer its first payment; its second is taken, and given back.
    GivenBack,
    /// It is cancelled before it is paid, and before payment and shipment have begun.
    NeverPaid,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Delivered, Self::GivenBack, Self::NeverPaid];

    pub(super) fn by_turns(number: usize) -> Self {
        Self::ALL[number % Self::ALL.len()]
    }
}

pub(super) fn order(id: Uuid, way: Way) -> Vec<OrderCommand> {
    let mut commands = vec![ask::place(id), ask::request(id), ask::confirm(id)];
    match way {
        Way::Delivered => commands.extend([
            ask::pay(id, 1),
            ask::settle(id, 1, true),
            ask::approve(id),
            ask::mark_stuck(id),
            ask::resume(id),
            ask::ship(id),
            ask::deliver(id),
        ]),
        Way::GivenBack => commands.extend([
            ask::pay(id, 1),
            ask::settle(id, 1, false),
            ask::pay(id, 2),
            ask::settle(id, 2, true),
            ask::cancel(id),
        ]),
        Way::NeverPaid => {
            commands.extend([ask::pay(id, 1), ask::settle(id, 1, false), ask::cancel(id)]);
        }
    }
    commands
}

pub(super) fn payments(order: Uuid, way: Way) -> Vec<PaymentCommand> {
    let one = Payment { order, attempt: 1 };
    let other = Payment { order, attempt: 2 };
    match way {
        Way::Delivered => vec![
            one.start(),
            one.authorised(),
            one.capture(),
            one.record(
                one.request_id("capture"),
                Operation::Capture,
                GatewayOutcome::Captured {
                    amount: price(5997),
                },
            ),
        ],
        Way::GivenBack => vec![
            one.start(),
            one.record(
                one.request_id("authorise"),
                Operation::Authorise,
                GatewayOutcome::Unknown,
            ),
            other.start(),
            // It has been asked for since the first was given up.
            one.record(
                gateway_request_id(one.request_id("authorise"), "undo"),
                Operation::Void,
                GatewayOutcome::Voided,
            ),
            other.authorised(),
            other.capture(),
            other.record(
                other.request_id("capture"),
                Operation::Capture,
                GatewayOutcome::Captured {
                    amount: price(5997),
                },
            ),
            other.cancel(),
            other.record(
                other.request_id("cancel"),
                Operation::Refund,
                GatewayOutcome::Refunded {
                    amount: price(5997),
                },
            ),
        ],
        Way::NeverPaid => vec![one.cancel(), one.start()],
    }
}

#[derive(Clone, Copy)]
struct Payment {
    order: Uuid,
    attempt: u32,
}

impl Payment {
    fn request_id(self, operation: &str) -> Uuid {
        Uuid::new_v5(
            &payment_id(self.order, self.attempt).as_uuid(),
            operation.as_bytes(),
        )
    }

    fn start(self) -> PaymentCommand {
        PaymentCommand::Start(StartPayment {
            requested: PaymentRequested {
                payment_id: payment_id(self.order, self.attempt),
                order_id: self.order.into(),
                attempt: self.attempt,
                amount: price(5997),
                method: method(),
                requested_at: now(),
            },
            request_id: self.request_id("authorise"),
            give_up_at: in_an_hour(),
            started_at: now(),
        })
    }

    fn authorised(self) -> PaymentCommand {
        let outcome = GatewayOutcome::Authorised {
            amount: price(5997),
            gateway_ref: "auth_1".parse().expect("printable"),
        };
        self.record(self.request_id("authorise"), Operation::Authorise, outcome)
    }

    fn capture(self) -> PaymentCommand {
        PaymentCommand::Capture(CapturePayment {
            payment_id: payment_id(self.order, self.attempt),
            order_id: self.order.into(),
            amount: price(5997),
            request_id: self.request_id("capture"),
            requested_at: now(),
        })
    }

    fn cancel(self) -> PaymentCommand {
        PaymentCommand::Cancel(CancelPayment {
            payment_id: payment_id(self.order, self.attempt),
            order_id: self.order.into(),
            request_id: self.request_id("cancel"),
            cancelled_at: now(),
        })
    }

    /// Late enough for whatever is unknown to be given up.
    fn record(
        self,
        request_id: Uuid,
        operation: Operation,
        outcome: GatewayOutcome,
    ) -> PaymentCommand {
        PaymentCommand::Record(RecordOutcome {
            payment_id: payment_id(self.order, self.attempt),
            order_id: self.order.into(),
            request_id,
            operation,
            outcome,
            learnt_at: in_an_hour() + TimeDelta::hours(1),
        })
    }
}

pub(super) fn shipment(order: Uuid, way: Way) -> Vec<ShippingCommand> {
    let shipment_id = ShipmentId::of(OrderId::from(order));
    let plan = ShippingCommand::Plan(Box::new(PlanShipment {
        shipment_id,
        lines: vec![ShipmentLine {
            line_id: Uuid::nil().into(),
            sku: sku(1),
            quantity: Quantity::try_from(3).expect("a quantity"),
            location: Location::Main,
        }],
        shipping_address: address(),
        planned_at: now(),
    }));
    let create = ShippingCommand::Create(CreateShipment {
        shipment_id,
        created_at: now(),
    });
    let request = |carrier: Option<&str>| {
        ShippingCommand::RequestDispatch(RequestDispatch {
            shipment_id,
            carrier: carrier.map(|carrier| carrier.parse().expect("printable")),
            tracking_number: carrier
                .map(|carrier| format!("{carrier}-42").parse().expect("printable")),
            requested_at: now(),
        })
    };
    let dispatch = ShippingCommand::Dispatch(DispatchShipment {
        shipment_id,
        dispatched_at: now(),
    });
    let fail = ShippingCommand::Fail(FailShipment {
        shipment_id,
        carriage: Carriage::default(),
        failed_at: now(),
    });
    let deliver = ShippingCommand::Deliver(DeliverShipment {
        shipment_id,
        carriage: Carriage::default(),
        delivered_at: now(),
    });
    let cancel = ShippingCommand::Cancel(CancelShipment {
        shipment_id,
        cancelled_at: now(),
    });
    match way {
        Way::Delivered => vec![
            plan,
            create,
            request(Some("ACME")),
            dispatch,
            fail,
            request(Some("Zoë & Co")),
            deliver,
        ],
        Way::GivenBack => vec![plan, create, request(None), cancel],
        Way::NeverPaid => vec![plan, cancel],
    }
}
