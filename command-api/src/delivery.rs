//! Where goods go, and how to reach who gets them: members of every purchase.

use domain::personal::{Contact, ShippingAddress};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validation::Validation;

/// Where goods go.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = ShippingAddress)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressBody {
    /// The recipient.
    #[schema(max_length = 200, example = "Ada Lovelace")]
    name: String,
    #[schema(max_length = 200, example = "12 St James's Square")]
    line1: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    line2: Option<String>,
    #[schema(max_length = 20, example = "SW1Y 4JH")]
    postal_code: String,
    #[schema(max_length = 100, example = "London")]
    city: String,
    /// ISO 3166-1 alpha-2.
    #[schema(pattern = "^[A-Z]{2}$", example = "GB")]
    country: String,
}

/// How to reach the customer.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = Contact)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactBody {
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
}

impl AddressBody {
    pub(crate) fn parse(&self, validation: &mut Validation) -> Option<ShippingAddress> {
        let name = validation.parse(format_args!("/shipping_address/name"), &self.name);
        let line1 = validation.parse(format_args!("/shipping_address/line1"), &self.line1);
        let line2 = self.line2.as_deref();
        let line2 = validation.parse_optional(format_args!("/shipping_address/line2"), line2);
        let postal_code = format_args!("/shipping_address/postal_code");
        let postal_code = validation.parse(postal_code, &self.postal_code);
        let city = validation.parse(format_args!("/shipping_address/city"), &self.city);
        let country = validation.parse(format_args!("/shipping_address/country"), &self.country);
        Some(ShippingAddress {
            name: name?,
            line1: line1?,
            line2: line2?,
            postal_code: postal_code?,
            city: city?,
            country: country?,
        })
    }
}

impl ContactBody {
    /// None only where it is invalid; nobody has to be reached.
    pub(crate) fn parse(
        contact: Option<&Self>,
        validation: &mut Validation,
    ) -> Option<Option<Contact>> {
        let email = contact.map(|contact| contact.email.as_str());
        let email = validation.parse_optional(format_args!("/contact/email"), email)?;
        Some(email.map(|email| Contact { email }))
    }
}
