//! What must not be read by whoever reads the topics.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A payment method, encrypted before it came here; only who calls the gateway opens it. Nothing in the domain looks inside.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct SealedMethod(Box<str>);

/// Not of the form of something sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {} visible ASCII characters", SealedMethod::MAX_LENGTH)]
pub struct InvalidSealed;

impl SealedMethod {
    /// At most so many characters.
    pub const MAX_LENGTH: usize = 1_536;

    /// The text to open.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SealedMethod {
    type Err = InvalidSealed;

    fn from_str(text: &str) -> Result<Self, InvalidSealed> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=Self::MAX_LENGTH).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSealed)
        }
    }
}

/// Not even sealed is it worth a line in a log.
impl fmt::Debug for SealedMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedMethod(…)")
    }
}
