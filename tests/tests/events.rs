//! `docs/events.md` is made of the golden files, and the JSON Schemas beside them of the code, so that they say what is
//! really in the topics.
//!
//! To write it anew after a change: `UPDATE_DOCS=1 cargo test -p system-tests --test events`.

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf};

use domain::{
    cart::{CartCheckedOut, CartItemRemoved, CartItemSet, CartOpened},
    order::{
        DispatchApproved, DispatchRefused, InventoryRequested, OrderCancelled, OrderCaptureRefused,
        OrderCompleted, OrderConfirmed, OrderDelivered, OrderExpired, OrderPaid,
        OrderPaymentFailed, OrderPaymentPending, OrderPlaced, OrderRejected, OrderResumed,
        OrderShipped, OrderStuck, PaymentKept,
    },
    payment::{
        PaymentAuthorised, PaymentCancelled, PaymentCaptureRefused, PaymentCaptureRequested,
        PaymentCaptured, PaymentDeclined, PaymentReconciling, PaymentRefundRequested,
        PaymentRefunded, PaymentRequested, PaymentStarted, PaymentStuck, PaymentUnresolved,
        PaymentVoidRequested, PaymentVoided,
    },
    product::{
        catalogue::{ProductCreated, ProductDiscontinued, ProductRepriced},
        reservation::{
            InventoryCheck, InventoryConfirmed, InventoryRejected, ReservationCancelled,
            ReservationCommitted, ReservationLineRequested, ReservationLineReturned,
            ReservationOpened,
        },
        stock::{
            StockAllocated, StockAwaited, StockCommitted, StockDenied, StockOpened, StockReceived,
            StockReleased, StockReserved,
        },
    },
    shipping::{
        DispatchRequested, ShipmentCancelled, ShipmentCreated, ShipmentDelivered,
        ShipmentDispatched, ShipmentFailed, ShipmentPlanned,
    },
};
use schemars::{Schema, schema_for};

/// An event as the page tells it.
struct Told {
    name: &'static str,
    version: u16,
    producer: &'static str,
    /// Whose policies and writers read it; projectors read everything.
    consumers: &'static str,
    what: &'static str,
}

const fn told(
    name: &'static str,
    producer: &'static str,
    consumers: &'static str,
    what: &'static str,
) -> Told {
    Told {
        name,
        version: 1,
        producer,
        consumers,
        what,
    }
}

const TOPICS: [(&str, &str, &[Told]); 6] = [
    (
        "ProductEvents",
        "the SKU",
        &[
            told(
                "ProductCreated",
                "product",
                "cart, order",
                "A product was added to the catalogue.",
            ),
            told(
                "ProductRepriced",
                "product",
                "cart, order",
                "Its price has changed, for what is ordered from now on.",
            ),
            told(
                "ProductDiscontinued",
                "product",
                "cart, order",
                "It is sold no longer.",
            ),
        ],
    ),
    (
        "InventoryEvents",
        "the SKU of `Stock…`, else the order's id",
        &[
            told(
                "InventoryCheck",
                "order",
                "product",
                "A message: is everything in stock?",
            ),
            told(
                "ReservationOpened",
                "product",
                "",
                "A reservation begins to collect, one SKU after the other.",
            ),
            told(
                "ReservationLineRequested",
                "product",
                "product",
                "The stock of one SKU is asked.",
            ),
            told(
                "InventoryConfirmed",
                "product",
                "order, product",
                "Every line is reserved.",
            ),
            told(
                "InventoryRejected",
                "product",
                "order, product",
                "Something is missing, and nothing is reserved any more.",
            ),
            told(
                "ReservationCancelled",
                "product",
                "product",
                "The order needs nothing any more.",
            ),
            told(
                "ReservationLineReturned",
                "product",
                "product",
                "A stock has set something aside that is not needed any more.",
            ),
            told(
                "StockOpened",
                "product",
                "",
                "There is a stock of this SKU; in one transaction with `ProductCreated`.",
            ),
            told("StockReceived", "product", "", "Goods have come in."),
            told(
                "StockReserved",
                "product",
                "product",
                "Some are set aside for an order that is still collecting.",
            ),
            told(
                "StockAwaited",
                "product",
                "",
                "There will be enough if orders that are still collecting give up; answered when that is known.",
            ),
            told("StockDenied", "product", "product", "There are not enough."),
            told(
                "StockAllocated",
                "product",
                "",
                "What an order holds is its own.",
            ),
            told(
                "StockReleased",
                "product",
                "",
                "What an order held is there for others again.",
            ),
            told(
                "ReservationCommitted",
                "product",
                "product",
                "The order's goods have left: it holds nothing any more.",
            ),
            told(
                "StockCommitted",
                "product",
                "",
                "What an order held has left.",
            ),
        ],
    ),
    (
        "CartEvents",
        "the cart's id",
        &[
            told("CartOpened", "cart", "", "Somebody began to shop."),
            told(
                "CartItemSet",
                "cart",
                "",
                "Something was put in, or how many was changed.",
            ),
            told("CartItemRemoved", "cart", "", "Something was taken out."),
            told(
                "CartCheckedOut",
                "cart",
                "",
                "Everything in it was bought; in one transaction with `OrderPlaced`.",
            ),
        ],
    ),
    (
        "OrderEvents",
        "the order's id",
        &[
            told(
                "OrderPlaced",
                "cart, order",
                "order, shipping",
                "An order was opened, at prices that are final.",
            ),
            told(
                "InventoryRequested",
                "order",
                "",
                "The product service was asked; in one transaction with `InventoryCheck`.",
            ),
            told(
                "PaymentKept",
                "order",
                "",
                "A payment came while stock was still being checked.",
            ),
            told(
                "OrderConfirmed",
                "order",
                "",
                "Everything is set aside: the order is to be paid.",
            ),
            told(
                "OrderRejected",
                "order",
                "shipping",
                "Something is not in stock: the order has ended.",
            ),
            told(
                "OrderExpired",
                "order",
                "product, shipping",
                "A deadline has passed: the order has ended.",
            ),
            told(
                "OrderPaymentPending",
                "order",
                "",
                "The payment service was asked for the money; in one transaction with `PaymentRequested`.",
            ),
            told(
                "OrderPaid",
                "order",
                "shipping",
                "The whole amount is set aside.",
            ),
            told(
                "OrderPaymentFailed",
                "order",
                "",
                "A payment came to nothing: the order waits for another.",
            ),
            told(
                "DispatchApproved",
                "order",
                "payment",
                "Its goods may leave, and its money be taken; from here on it cannot be called off.",
            ),
            told(
                "DispatchRefused",
                "order",
                "shipping",
                "Its goods may not leave.",
            ),
            told(
                "OrderCaptureRefused",
                "order",
                "",
                "The money that was set aside could not be taken: the goods stay.",
            ),
            told(
                "OrderShipped",
                "order",
                "",
                "Its goods have left: it is sold.",
            ),
            told("OrderDelivered", "order", "", "Its goods have arrived."),
            told(
                "OrderCompleted",
                "order",
                "",
                "Nothing more will happen to it.",
            ),
            told(
                "OrderCancelled",
                "order",
                "payment, product, shipping",
                "An order was called off, and the payment that it names is undone.",
            ),
            told(
                "OrderStuck",
                "order",
                "",
                "What goes on by itself cannot: an operator has to look.",
            ),
            told(
                "OrderResumed",
                "order",
                "payment",
                "An operator had it tried again; once for each payment that is to go on.",
            ),
        ],
    ),
    (
        "PaymentEvents",
        "the order's id",
        &[
            told(
                "PaymentRequested",
                "order",
                "payment",
                "A message: set this money aside.",
            ),
            told(
                "PaymentStarted",
                "payment",
                "payment",
                "The gateway is asked to set the money aside.",
            ),
            told(
                "PaymentAuthorised",
                "payment",
                "order",
                "The money is set aside.",
            ),
            told(
                "PaymentDeclined",
                "payment",
                "order",
                "It will not be: this payment has come to nothing.",
            ),
            told(
                "PaymentCaptureRequested",
                "payment",
                "payment",
                "The gateway is asked to take the money.",
            ),
            told(
                "PaymentCaptured",
                "payment",
                "shipping",
                "The money was taken.",
            ),
            told(
                "PaymentCaptureRefused",
                "payment",
                "order",
                "The money could not be taken.",
            ),
            told(
                "PaymentCancelled",
                "payment",
                "",
                "The order does not want it any more: whatever of it was done is undone.",
            ),
            told(
                "PaymentVoidRequested",
                "payment",
                "payment",
                "The gateway is asked to let go of the money.",
            ),
            told(
                "PaymentVoided",
                "payment",
                "",
                "It is not set aside any more.",
            ),
            told(
                "PaymentRefundRequested",
                "payment",
                "payment",
                "The gateway is asked to give the money back.",
            ),
            told("PaymentRefunded", "payment", "", "The money went back."),
            told(
                "PaymentUnresolved",
                "payment",
                "",
                "It is not known what became of a request; that is looked into at a time.",
            ),
            told(
                "PaymentReconciling",
                "payment",
                "payment",
                "That is looked into: the gateway is asked, and where it does not know the request, told it again.",
            ),
            told(
                "PaymentStuck",
                "payment",
                "order",
                "It cannot be found out, or was refused where it must not be: an operator has to look.",
            ),
        ],
    ),
    (
        "ShippingEvents",
        "the order's id",
        &[
            told(
                "ShipmentPlanned",
                "shipping",
                "",
                "An order was placed: this is what would be sent, and where.",
            ),
            told(
                "ShipmentCreated",
                "shipping",
                "",
                "The order is paid: it can be packed.",
            ),
            told(
                "DispatchRequested",
                "shipping",
                "order",
                "It is packed: the order is asked whether it may leave.",
            ),
            told(
                "ShipmentDispatched",
                "shipping",
                "order, product",
                "It has left, for the first time or once more.",
            ),
            told("ShipmentDelivered", "shipping", "order", "It has arrived."),
            told(
                "ShipmentFailed",
                "shipping",
                "",
                "It did not arrive; it can be sent once more.",
            ),
            told("ShipmentCancelled", "shipping", "", "It will not leave."),
        ],
    ),
];

/// The shape of an event of the version that is written today.
fn schema(name: &str) -> Schema {
    match name {
        "ProductCreated" => schema_for!(ProductCreated),
        "ProductRepriced" => schema_for!(ProductRepriced),
        "ProductDiscontinued" => schema_for!(ProductDiscontinued),
        "InventoryCheck" => schema_for!(InventoryCheck),
        "ReservationOpened" => schema_for!(ReservationOpened),
        "ReservationLineRequested" => schema_for!(ReservationLineRequested),
        "InventoryConfirmed" => schema_for!(InventoryConfirmed),
        "InventoryRejected" => schema_for!(InventoryRejected),
        "ReservationCancelled" => schema_for!(ReservationCancelled),
        "ReservationCommitted" => schema_for!(ReservationCommitted),
        "ReservationLineReturned" => schema_for!(ReservationLineReturned),
        "StockOpened" => schema_for!(StockOpened),
        "StockReceived" => schema_for!(StockReceived),
        "StockReserved" => schema_for!(StockReserved),
        "StockAwaited" => schema_for!(StockAwaited),
        "StockDenied" => schema_for!(StockDenied),
        "StockAllocated" => schema_for!(StockAllocated),
        "StockReleased" => schema_for!(StockReleased),
        "StockCommitted" => schema_for!(StockCommitted),
        "CartOpened" => schema_for!(CartOpened),
        "CartItemSet" => schema_for!(CartItemSet),
        "CartItemRemoved" => schema_for!(CartItemRemoved),
        "CartCheckedOut" => schema_for!(CartCheckedOut),
        "OrderPlaced" => schema_for!(OrderPlaced),
        "InventoryRequested" => schema_for!(InventoryRequested),
        "PaymentKept" => schema_for!(PaymentKept),
        "OrderConfirmed" => schema_for!(OrderConfirmed),
        "OrderRejected" => schema_for!(OrderRejected),
        "OrderExpired" => schema_for!(OrderExpired),
        "OrderPaymentPending" => schema_for!(OrderPaymentPending),
        "OrderPaid" => schema_for!(OrderPaid),
        "OrderPaymentFailed" => schema_for!(OrderPaymentFailed),
        "DispatchApproved" => schema_for!(DispatchApproved),
        "DispatchRefused" => schema_for!(DispatchRefused),
        "OrderCaptureRefused" => schema_for!(OrderCaptureRefused),
        "OrderShipped" => schema_for!(OrderShipped),
        "OrderDelivered" => schema_for!(OrderDelivered),
        "OrderCompleted" => schema_for!(OrderCompleted),
        "OrderCancelled" => schema_for!(OrderCancelled),
        "OrderStuck" => schema_for!(OrderStuck),
        "OrderResumed" => schema_for!(OrderResumed),
        "PaymentRequested" => schema_for!(PaymentRequested),
        "PaymentStarted" => schema_for!(PaymentStarted),
        "PaymentAuthorised" => schema_for!(PaymentAuthorised),
        "PaymentDeclined" => schema_for!(PaymentDeclined),
        "PaymentCaptureRequested" => schema_for!(PaymentCaptureRequested),
        "PaymentCaptured" => schema_for!(PaymentCaptured),
        "PaymentCaptureRefused" => schema_for!(PaymentCaptureRefused),
        "PaymentCancelled" => schema_for!(PaymentCancelled),
        "PaymentVoidRequested" => schema_for!(PaymentVoidRequested),
        "PaymentVoided" => schema_for!(PaymentVoided),
        "PaymentRefundRequested" => schema_for!(PaymentRefundRequested),
        "PaymentRefunded" => schema_for!(PaymentRefunded),
        "PaymentUnresolved" => schema_for!(PaymentUnresolved),
        "PaymentReconciling" => schema_for!(PaymentReconciling),
        "PaymentStuck" => schema_for!(PaymentStuck),
        "ShipmentPlanned" => schema_for!(ShipmentPlanned),
        "ShipmentCreated" => schema_for!(ShipmentCreated),
        "DispatchRequested" => schema_for!(DispatchRequested),
        "ShipmentDispatched" => schema_for!(ShipmentDispatched),
        "ShipmentDelivered" => schema_for!(ShipmentDelivered),
        "ShipmentFailed" => schema_for!(ShipmentFailed),
        "ShipmentCancelled" => schema_for!(ShipmentCancelled),
        other => panic!("{other} has no schema"),
    }
}

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn golden(told: &Told) -> String {
    let file = format!("events/golden/{}.{}.json", told.name, told.version);
    fs::read_to_string(docs().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn page() -> String {
    let mut page = String::from(
        "# Events\n\n\
         Every topic and every event in it, with an example of each version: the golden file that every build reads and \
         writes. This page is made of them by a test, and so are the JSON Schemas in `events/`.\n\n\
         Values are JSON. What is known of an event besides its payload travels in CloudEvents headers (binary mode): \
         `ce_id`, `ce_type`, `ce_source` (`/order`), `ce_subject` (the stream), `ce_time`, `ce_dataschema` (ends in the \
         version), `ce_correlationid`, `ce_causationid`, `ce_commandid`, `ce_commandhash`, `ce_actor`, \
         `ce_streamversion`, `ce_txn` (decision; place; of), `ce_traceparent`. Unknown members are to be ignored. The \
         partition is Kafka's default (murmur2) of the key.\n",
    );
    for (topic, key, events) in TOPICS {
        write!(page, "\n## {topic}\n\nKey: {key}.\n").expect("a string takes it");
        for told in events {
            let Told {
                name,
                version,
                producer,
                consumers,
                what,
            } = told;
            let read_by = match *consumers {
                "" => "projectors".to_owned(),
                consumers => format!("{consumers}; projectors"),
            };
            write!(
                page,
                "\n### {name}, version {version}\n\n{what} From: {producer}. Read by: {read_by}.\n\n```json\n{}\n```\n",
                golden(told).trim_end()
            )
            .expect("a string takes it");
        }
    }
    page
}

#[test]
fn the_page_tells_what_the_golden_files_hold() {
    let path = docs().join("events.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("the page is written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/events.md is stale; type: UPDATE_DOCS=1 cargo test -p system-tests --test events"
    );
}

/// A change of an event's shape shows here: it needs a new version, with an upcaster and a golden file of its own.
#[test]
fn the_schemas_are_those_of_the_code() {
    let mut stale = Vec::new();
    for told in TOPICS.iter().flat_map(|(_, _, events)| *events) {
        let path = docs().join(format!("events/{}.{}.schema.json", told.name, told.version));
        let schema = serde_json::to_string_pretty(&schema(told.name)).expect("a schema is JSON");
        let schema = format!("{schema}\n");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &schema).expect("the schema is written");
        }
        if fs::read_to_string(&path).unwrap_or_default() != schema {
            stale.push(told.name);
        }
    }
    assert!(
        stale.is_empty(),
        "these events have another shape than their schemas in docs/events say: {stale:?}"
    );
}

#[test]
fn every_golden_file_is_told() {
    let told: BTreeSet<String> = TOPICS
        .iter()
        .flat_map(|(_, _, events)| *events)
        .map(|told| format!("{}.{}.json", told.name, told.version))
        .collect();
    let files = fs::read_dir(docs().join("events/golden")).expect("the folder is there");
    let files: BTreeSet<String> = files
        .map(|file| {
            file.expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(told, files);
}
