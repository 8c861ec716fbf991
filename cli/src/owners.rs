//! Who owns which partition of which service.

use event_store::{LogError, OwnershipRecord, log::Log, owner_of};

/// A partition of a service, and who owns it, or did last.
pub type Place = (&'static str, i32, Option<OwnershipRecord>);

/// Every partition of these services.
pub fn places<L: Log>(
    log: &L,
    services: impl IntoIterator<Item = &'static str>,
    partitions: i32,
) -> Result<Vec<Place>, LogError> {
    let mut places = Vec::new();
    for service in services {
        for partition in 0..partitions {
            places.push((service, partition, owner_of(log, service, partition)?));
        }
    }
    Ok(places)
}
