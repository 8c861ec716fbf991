//! What a projection reads of an event it reads of all its versions: one that it does not know is refused, and so parked, and
//! never passed over as if the event were none of its business.

use std::{collections::BTreeSet, fmt::Debug, fs, path::Path};

use domain::ReadEvent;
use serde_json::Value;

use crate::{
    carts::row::CartView, notifications::row::NotificationView, orders::view::OrderView,
    payments::row::PaymentView, products::row::ProductView, sales_daily::row::SalesView,
    shipments::row::ShipmentView,
};

/// Name and payload of every event that there is, as it lies in the log.
fn golden() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events/golden");
    let files = fs::read_dir(folder).expect("the golden files are there");
    let read = |file: Result<fs::DirEntry, _>| {
        let path = file.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let name = name.split('.').next().expect("a name").to_owned();
        let text = fs::read_to_string(&path).expect("it can be read");
        (name, serde_json::from_str(&text).expect("JSON"))
    };
    files.map(read).collect()
}

/// Answers which events the view reads.
fn read_by<E: ReadEvent + Debug + PartialEq>(other: &E) -> BTreeSet<String> {
    let mut read = BTreeSet::new();
    for (name, payload) in golden() {
        let known = E::deserialize(&name, 1, &payload).expect("a golden file is read");
        let newer = E::deserialize(&name, u16::MAX, &payload);
        if known == *other {
            assert_eq!(
                newer.ok().as_ref(),
                Some(other),
                "{name} is none of its business"
            );
        } else {
            assert!(newer.is_err(), "a newer {name} was read as {newer:?}");
            read.insert(name);
        }
    }
    let unheard = E::deserialize("AddedLater", 1, &Value::Null);
    assert_eq!(unheard.ok().as_ref(), Some(other));
    read
}

#[test]
fn a_version_that_is_not_known_is_never_passed_over() {
    let counts = [
        read_by(&OrderView::Other).len(),
        read_by(&ProductView::Other).len(),
        read_by(&CartView::Other).len(),
        read_by(&PaymentView::Other).len(),
        read_by(&ShipmentView::Other).len(),
        read_by(&NotificationView::Other).len(),
        read_by(&SalesView::Other).len(),
    ];
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}
