//! `POST /v1/orders`.

use axum::extract::State;
use domain::{
    ids::{CustomerId, OrderId},
    order::{OrderCommand, OrderLines, PlaceOrder, ResumeOrder},
    personal::{Contact, ShippingAddress},
};
use runtime::{extract::ApiJson, object, problem::Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    OrderService, answer, execute,
    lines::{self, LineBody, WantedLine},
};
use crate::{
    answer::{Answered, CommandAnswer},
    delivery::{AddressBody, ContactBody},
    execute::{Received, first_answer},
    intake::{CommandHeaders, Intake, PricingHeaders},
    validation::Validation,
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
    #[serde(deserialize_with = "object::array")]
    lines: Vec<LineBody>,
    #[serde(deserialize_with = "object::one")]
    shipping_address: AddressBody,
    #[serde(
        default,
        deserialize_with = "object::optional",
        skip_serializing_if = "Option::is_none"
    )]
    contact: Option<ContactBody>,
}

/// Places an order, at the catalogue's prices.
///
/// The customer is answered at once; the id of the order follows from the `Idempotency-Key` where there is one.
#[utoipa::path(
    post,
    path = "/v1/orders",
    tag = "orders",
    params(CommandHeaders, PricingHeaders),
    request_body = PlaceOrderBody,
    responses(
        (status = 201, body = CommandAnswer, headers(
            ("location" = String, description = "Where the query API shows it"),
            ("etag" = String, description = "The version, for `If-Match`"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-idempotency-key`, `invalid-if-match`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`product-discontinued`, `price-changed`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `product-not-found`, `currency-mismatch`, `amount-overflow`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`, `not-yet-visible`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn place_order(
    State(service): State<OrderService>,
    intake: Intake,
    ApiJson(body): ApiJson<PlaceOrderBody>,
) -> Result<Answered, Problem> {
    // Until there is authentication, the customer is who asks.
    let order_id = intake.order_id(&body.customer_id, PATH);
    let wanted = body.parse()?;
    let priced = price(&service, &wanted.lines, order_id, &intake).await;
    let received = Received {
        command_id: intake.command_id(&body.customer_id, PATH),
        correlation_id: order_id.as_uuid(),
        actor: body.customer_id.as_str().into(),
        body: &body,
        intake,
    };
    let answered = match priced {
        Ok(lines) => {
            let command = PlaceOrder {
                order_id,
                customer_id: wanted.customer_id,
                lines,
                shipping_address: wanted.shipping_address,
                contact: wanted.contact,
                placed_at: received.intake.received_at,
            };
            let command = OrderCommand::Place(Box::new(command));
            execute(&service.store, command, received).await?
        }
        // Whatever has become of prices since, a repetition gets the first answer.
        Err(problem) => {
            let question = OrderCommand::Resume(ResumeOrder {
                order_id,
                stock_due_at: received.intake.received_at + service.deadlines.stock_within,
                resumed_at: received.intake.received_at,
            });
            let accepted = first_answer(&service.store, question, received, problem).await?;
            answer(order_id, &accepted)?
        }
    };
    Ok(answered.created(format!("{PATH}/{order_id}")))
}

async fn price(
    service: &OrderService,
    wanted: &[WantedLine],
    order_id: OrderId,
    intake: &Intake,
) -> Result<OrderLines, Problem> {
    service.catalogue.seen(&intake.min_position).await?;
    lines::price(wanted, order_id, &service.catalogue).await
}

/// A body that is valid by itself.
struct Wanted {
    customer_id: CustomerId,
    lines: Vec<WantedLine>,
    shipping_address: ShippingAddress,
    contact: Option<Contact>,
}

impl PlaceOrderBody {
    fn parse(&self) -> Result<Wanted, Problem> {
        let mut validation = Validation::default();
        let customer_id = validation.parse(format_args!("/customer_id"), &self.customer_id);
        let lines = lines::parse(&self.lines, &mut validation);
        let shipping_address = self.shipping_address.parse(&mut validation);
        let contact = ContactBody::parse(self.contact.as_ref(), &mut validation);
        let (Some(customer_id), Some(lines), Some(shipping_address), Some(contact)) =
            (customer_id, lines, shipping_address, contact)
        else {
            return Err(validation.into_problem());
        };
        Ok(Wanted {
            customer_id,
            lines,
            shipping_address,
            contact,
        })
    }
}
