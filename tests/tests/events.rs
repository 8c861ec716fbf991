//! `docs/events.md` is made of the golden files, and the JSON Schemas beside them of the code, so that they say what is
//! really in the topics.
//!
//! To write it anew after a change: `UPDATE_DOCS=1 cargo test -p system-tests --test events`.

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf};

use domain::{
    cart::{CartCheckedOut, CartItemRemoved, CartItemSet, CartOpened},
    order::{
        InventoryRequested, OrderCancelled, OrderConfirmed, OrderExpired, OrderPaid, OrderPlaced,
        OrderRefunded, OrderRejected, OrderResumed, OrderStuck, PaymentKept,
    },
    product::{
        catalogue::{ProductCreated, ProductDiscontinued, ProductRepriced},
        reservation::{
            InventoryCheck, InventoryConfirmed, InventoryRejected, ReservationCancelled,
            ReservationLineRequested, ReservationLineReturned, ReservationOpened,
        },
        stock::{
            StockAllocated, StockAwaited, StockCommitted, StockDenied, StockOpened, StockReceived,
            StockReleased, StockReserved,
        },
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

const TOPICS: [(&str, &str, &[Told]); 4] = [
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
                "StockCommitted",
                "product",
                "",
                "What an order held has left. Appended once there is a shipping service.",
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
                "order",
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
                "",
                "Something is not in stock: the order has ended.",
            ),
            told(
                "OrderExpired",
                "order",
                "product",
                "A deadline has passed: the order has ended.",
            ),
            told("OrderPaid", "order", "", "An order was paid in full."),
            told(
                "OrderCancelled",
                "order",
                "product",
                "An order was called off.",
            ),
            told("OrderRefunded", "order", "", "What was paid went back."),
            told(
                "OrderStuck",
                "order",
                "",
                "What goes on by itself cannot: an operator has to look.",
            ),
            told(
                "OrderResumed",
                "order",
                "",
                "An operator had it tried again.",
            ),
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
        "OrderPaid" => schema_for!(OrderPaid),
        "OrderCancelled" => schema_for!(OrderCancelled),
        "OrderRefunded" => schema_for!(OrderRefunded),
        "OrderStuck" => schema_for!(OrderStuck),
        "OrderResumed" => schema_for!(OrderResumed),
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
