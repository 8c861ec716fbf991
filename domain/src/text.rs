//! Text that people write and read.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// 1 to `MAX` characters, none of which is a control character, and not only white space.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Text<const MAX: usize>(Box<str>);

/// Empty, too long, or with control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {max} printable characters")]
pub struct InvalidText {
    /// At most so many.
    pub max: usize,
}

impl<const MAX: usize> Text<MAX> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Text<MAX> {
    /// As much of a text as fits, without what cannot be seen; for what comes from elsewhere and is shown to people.
    #[must_use]
    pub fn cut(text: &str) -> Option<Self> {
        let visible = text.chars().filter(|character| !character.is_control());
        visible.take(MAX).collect::<String>().parse().ok()
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let blank = text.trim().is_empty();
        if blank || text.chars().count() > MAX || text.chars().any(char::is_control) {
            return Err(InvalidText { max: MAX });
        }
        Ok(Self(text.into()))
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut() {
        assert_eq!(Text::<3>::cut("g\tröße").unwrap().as_str(), "grö");
        assert_eq!(Text::<3>::cut("\t "), None);
    }

    #[test]
    fn counts_characters_and_refuses_what_cannot_be_seen() {
        assert_eq!("größe".parse::<Text<5>>().unwrap().as_str(), "größe");
        for text in ["", " \u{a0}", "tab\t", "123456"] {
            assert_eq!(text.parse::<Text<5>>(), Err(InvalidText { max: 5 }));
        }
    }
}
