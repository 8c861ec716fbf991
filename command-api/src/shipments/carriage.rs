//! Who carries goods, as clients say it.

use domain::{shipping::Carriage, text::Text};
use runtime::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validation::Validation;

/// Who takes the goods, or has them. What is told of a shipment that left in another way is refused.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CarriageBody {
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    carrier: Option<String>,
    /// The carrier's name for the shipment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    tracking_number: Option<String>,
}

impl CarriageBody {
    pub(crate) fn parse(&self) -> Result<Carriage, Problem> {
        let mut validation = Validation::default();
        let mut read = |pointer: &str, text: Option<&String>| match text {
            Some(text) => validation
                .parse::<Text<100>>(format_args!("{pointer}"), text)
                .map(Some),
            None => Some(None),
        };
        let carrier = read("/carrier", self.carrier.as_ref());
        let tracking_number = read("/tracking_number", self.tracking_number.as_ref());
        match (carrier, tracking_number) {
            (Some(carrier), Some(tracking_number)) => Ok(Carriage {
                carrier,
                tracking_number,
            }),
            _ => Err(validation.into_problem()),
        }
    }
}
