//! States survive being kept on disk: whatever state the tests of a context come to, each goes through the event store's
//! format on its way.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

/// The state as it is read back.
pub(crate) fn stored<S: Serialize + DeserializeOwned + Debug + PartialEq>(state: &S) -> S {
    let bytes = rmp_serde::to_vec_named(state).unwrap();
    let read: S = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(read, *state);
    read
}
