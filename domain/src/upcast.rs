//! Old shapes of events, lifted when they are read.
//!
//! A shape is for ever: what it said lies in the log. A new one is a new version beside it, with the way from the shape before;
//! whoever reads sees the newest alone. Golden files of every version (`docs/events/golden/`) keep that true.
//!
//! The rule for what a reader does not know: an event of another *name* is none of its business, and passed over. A *version*
//! that it does not know, of an event that it does, is refused: it was written by a newer build, and passing over it would be wrong
//! for ever. A projection parks it until a newer projector retries it; a policy and a writer wait for a newer build.

use std::{cmp::Ordering, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};

/// One shape of an event's payload.
pub trait Shape: DeserializeOwned {
    /// Its version, from 1.
    const VERSION: u16;

    /// The shape before this one; [`NoShape`] where this is the first.
    type Before: Shape;

    /// What an event of the shape before says in this one.
    fn lift(before: Self::Before) -> Self;
}

/// What is before the first shape: nothing that could be read.
#[derive(Debug, Deserialize)]
pub enum NoShape {}

impl Shape for NoShape {
    const VERSION: u16 = 0;
    type Before = Self;

    fn lift(before: Self) -> Self {
        before
    }
}

/// Reads a payload of whatever version there has been, and lifts it to the newest shape, one version after the other.
///
/// # Errors
/// When the version is unknown, or the payload does not have its shape.
pub fn newest<'de, T: Shape, D: Deserializer<'de>>(
    version: u16,
    payload: D,
) -> Result<T, D::Error> {
    match version.cmp(&T::VERSION) {
        Ordering::Equal => T::deserialize(payload),
        Ordering::Less => newest::<T::Before, D>(version, payload).map(T::lift),
        Ordering::Greater => Err(Error::custom(Newer {
            version,
            known: T::VERSION,
        })),
    }
}

/// Reads a payload of which there has been one version only.
///
/// # Errors
/// As [`newest`].
pub fn only<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    version: u16,
    payload: D,
) -> Result<T, D::Error> {
    match version {
        1 => T::deserialize(payload),
        version => Err(Error::custom(Newer { version, known: 1 })),
    }
}

struct Newer {
    version: u16,
    known: u16,
}

impl fmt::Display for Newer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, known } = self;
        write!(
            f,
            "version {version} of it is unknown to this build, which knows up to {known}; deploy the one that wrote it"
        )
    }
}

#[cfg(test)]
mod tests;
