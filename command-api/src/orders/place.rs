//! `POST /v1/orders`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{
    ids::{LineId, OrderId},
    order::{OrderCommand, OrderLine, OrderLines, Orders, PlaceOrder, Quantity},
    personal::{Contact, ShippingAddress},
};
use runtime::{extract::ApiJson, problem::Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Received, execute};
use crate::{
    OpeningStore,
    answer::{Answered, CommandAnswer},
    intake::{CommandHeaders, Intake},
    problems::{self, LineCount, Missing},
    validation::{MoneyBody, Validation},
};

const PATH: &str = "/v1/orders";

/// An order to be.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = PlaceOrder)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrderBody {
    /// The client's own name for who buys: 1 to 128 printable characters.
    #[schema(min_length = 1, max_length = 128, example = "ada")]
    customer_id: String,
    /// In one currency; a SKU may repeat.
    #[schema(min_items = 1, max_items = 100)]
    lines: Vec<LineBody>,
    shipping_address: AddressBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<ContactBody>,
}

/// So many of one thing.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = PlaceOrderLine)]
#[serde(deny_unknown_fields)]
struct LineBody {
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", example = "TEA-EARL-GREY")]
    sku: String,
    #[schema(minimum = 1, maximum = 100_000, example = 2)]
    quantity: i64,
    /// Required until there is a catalogue to look it up in.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price: Option<MoneyBody>,
}

/// Where goods go.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = ShippingAddress)]
#[serde(deny_unknown_fields)]
struct AddressBody {
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
struct ContactBody {
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
}

/// Places an order.
///
/// The customer is answered at once; the id of the order follows from the `Idempotency-Key` where there is one.
#[utoipa::path(
    post,
    path = "/v1/orders",
    params(CommandHeaders),
    request_body = PlaceOrderBody,
    responses(
        (status = 201, body = CommandAnswer, headers(
            ("location" = String, description = "Where the query API shows it"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-idempotency-key`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body-too-large`", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported-media-type`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `currency-mismatch`, `amount-overflow`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn place_order(
    State(store): State<OpeningStore<Orders>>,
    intake: Intake,
    ApiJson(body): ApiJson<PlaceOrderBody>,
) -> Result<Answered, Problem> {
    // Until there is authentication, the customer is who asks.
    let order_id = intake.order_id(&body.customer_id, PATH);
    let command = body.parse(order_id, intake.received_at)?;
    let received = Received {
        command_id: intake.command_id(&body.customer_id, PATH),
        order_id,
        actor: body.customer_id.as_str().into(),
        body: &body,
        intake,
    };
    let command = OrderCommand::Place(Box::new(command));
    let answered = execute(&store, command, received).await?;
    Ok(answered.created(format!("{PATH}/{order_id}")))
}

impl PlaceOrderBody {
    fn parse(&self, order_id: OrderId, placed_at: DateTime<Utc>) -> Result<PlaceOrder, Problem> {
        let mut validation = Validation::default();
        let customer_id = validation.parse(format_args!("/customer_id"), &self.customer_id);
        let lines = self.parse_lines(order_id, &mut validation);
        let shipping_address = self.shipping_address.parse(&mut validation);
        let email = self.contact.as_ref().map(|contact| contact.email.as_str());
        let email = validation.parse_optional(format_args!("/contact/email"), email);
        let (Some(customer_id), Some(lines), Some(shipping_address), Some(email)) =
            (customer_id, lines, shipping_address, email)
        else {
            return Err(validation.into_problem());
        };
        Ok(PlaceOrder {
            order_id,
            customer_id,
            lines: OrderLines::new(lines).map_err(problems::invalid_lines)?,
            shipping_address,
            contact: email.map(|email| Contact { email }),
            placed_at,
        })
    }

    fn parse_lines(
        &self,
        order_id: OrderId,
        validation: &mut Validation,
    ) -> Option<Vec<OrderLine>> {
        if !OrderLines::COUNT.contains(&self.lines.len()) {
            // What is wrong with each of too many lines would be too much to tell.
            return validation.check(format_args!("/lines"), Err(LineCount));
        }
        let mut parsed = Vec::with_capacity(self.lines.len());
        for (index, line) in self.lines.iter().enumerate() {
            parsed.push(line.parse(order_id, index, validation));
        }
        parsed.into_iter().collect()
    }
}

impl LineBody {
    fn parse(
        &self,
        order_id: OrderId,
        index: usize,
        validation: &mut Validation,
    ) -> Option<OrderLine> {
        let sku = validation.parse(format_args!("/lines/{index}/sku"), &self.sku);
        let quantity = Quantity::try_from(self.quantity);
        let quantity = validation.check(format_args!("/lines/{index}/quantity"), quantity);
        let pointer = format_args!("/lines/{index}/unit_price");
        let unit_price = match &self.unit_price {
            Some(price) => validation.money(pointer, price),
            None => validation.check(pointer, Err(Missing)),
        };
        Some(OrderLine {
            line_id: LineId::of(order_id, index),
            sku: sku?,
            quantity: quantity?,
            unit_price: unit_price?,
        })
    }
}

impl AddressBody {
    fn parse(&self, validation: &mut Validation) -> Option<ShippingAddress> {
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
