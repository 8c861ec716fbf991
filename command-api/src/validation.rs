//! Bodies are parsed member by member, and everything that is wrong is told at once.

use std::{fmt, str::FromStr};

use domain::{
    ids::{InvalidSku, Sku},
    money::Money,
};
use runtime::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problems::Invalid;

/// Collects what is wrong with a request.
#[derive(Debug, Default)]
pub(crate) struct Validation {
    errors: Vec<(String, &'static str, String)>,
}

impl Validation {
    /// The value; or none, and the error is noted under the JSON pointer.
    pub(crate) fn check<T, E: Invalid>(
        &mut self,
        pointer: fmt::Arguments<'_>,
        checked: Result<T, E>,
    ) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(error) => {
                let detail = error.to_string();
                self.errors.push((pointer.to_string(), E::CODE, detail));
                None
            }
        }
    }

    /// Parses a text.
    pub(crate) fn parse<T>(&mut self, pointer: fmt::Arguments<'_>, text: &str) -> Option<T>
    where
        T: FromStr<Err: Invalid>,
    {
        self.check(pointer, text.parse())
    }

    /// Parses a text that may be missing; none only where it is invalid.
    pub(crate) fn parse_optional<T>(
        &mut self,
        pointer: fmt::Arguments<'_>,
        text: Option<&str>,
    ) -> Option<Option<T>>
    where
        T: FromStr<Err: Invalid>,
    {
        match text {
            Some(text) => self.parse(pointer, text).map(Some),
            None => Some(None),
        }
    }

    /// Parses an amount of money.
    pub(crate) fn money(&mut self, pointer: fmt::Arguments<'_>, body: &MoneyBody) -> Option<Money> {
        let currency = self.parse(format_args!("{pointer}/currency"), &body.currency)?;
        let money = Money::new(body.amount, currency);
        self.check(format_args!("{pointer}/amount"), money)
    }

    /// The problem that tells it all.
    pub(crate) fn into_problem(self) -> Problem {
        let add = |problem: Problem, (pointer, code, detail): (String, _, String)| {
            problem.error(pointer, code, detail)
        };
        self.errors.into_iter().fold(Problem::validation(), add)
    }
}

/// A SKU in a path. One that is none is an id that cannot be read, not a product that cannot be found.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct SkuSegment(pub(crate) Sku);

impl TryFrom<String> for SkuSegment {
    type Error = InvalidSku;

    fn try_from(text: String) -> Result<Self, InvalidSku> {
        text.parse().map(Self)
    }
}

/// An amount of money, in minor units.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[schema(as = Money)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoneyBody {
    /// Up to 2^53 - 1.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64, example = 1_999)]
    amount: i64,
    /// Three upper-case letters.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: String,
}
