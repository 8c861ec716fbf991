//! `POST /v1/carts/{id}/checkout`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{
    cart::{CartCommand, CheckOutCart},
    ids::{CartId, OrderId},
};
use runtime::{
    extract::{ApiJson, ApiPath},
    object,
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{CartService, execute};
use crate::{
    answer::{Answered, CommandAnswer},
    delivery::{AddressBody, ContactBody},
    execute::{ANONYMOUS, Received},
    intake::{CommandHeaders, Intake},
    validation::Validation,
};

/// Who buys, and where it goes.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = CheckOutCart)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckOutCartBody {
    /// Needed where a guest opened the cart; else, where given, the customer who did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128, example = "ada")]
    customer_id: Option<String>,
    #[serde(deserialize_with = "object::one")]
    shipping_address: AddressBody,
    #[serde(
        default,
        deserialize_with = "object::optional",
        skip_serializing_if = "Option::is_none"
    )]
    contact: Option<ContactBody>,
}

/// Buys what is in a cart, at the prices that the items were put in for.
///
/// The customer is answered at once; the id of the order follows from the cart's.
#[utoipa::path(
    post,
    path = "/v1/carts/{id}/checkout",
    tag = "carts",
    params(("id" = Uuid, Path), CommandHeaders),
    request_body = CheckOutCartBody,
    responses(
        (status = 201, description = "The cart; `order_id` names the order", body = CommandAnswer, headers(
            ("location" = String, description = "Where the query API shows the order"),
            ("etag" = String, description = "The version, for `If-Match`"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-id`, `invalid-idempotency-key`, `invalid-if-match`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`cart-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`cart-empty`, `cart-checked-out`, `customer-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed` (a guest's cart needs a `customer_id`), `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn check_out_cart(
    State(service): State<CartService>,
    ApiPath(id): ApiPath<Uuid>,
    intake: Intake,
    ApiJson(body): ApiJson<CheckOutCartBody>,
) -> Result<Answered, Problem> {
    let cart_id = CartId::from(id);
    let command = body.parse(cart_id, intake.received_at)?;
    let command = CartCommand::CheckOut(Box::new(command));
    let path = format!("/v1/carts/{id}/checkout");
    let received = Received {
        command_id: intake.command_id(&path, &path),
        correlation_id: id,
        actor: body.customer_id.as_deref().unwrap_or(ANONYMOUS).into(),
        body: &body,
        intake,
    };
    let order_id = OrderId::of_cart(cart_id);
    let answered = execute(&service, command, received).await?;
    Ok(answered
        .with_order(order_id)
        .created(format!("/v1/orders/{order_id}")))
}

impl CheckOutCartBody {
    fn parse(
        &self,
        cart_id: CartId,
        checked_out_at: DateTime<Utc>,
    ) -> Result<CheckOutCart, Problem> {
        let mut validation = Validation::default();
        let customer_id = self.customer_id.as_deref();
        let customer_id = validation.parse_optional(format_args!("/customer_id"), customer_id);
        let shipping_address = self.shipping_address.parse(&mut validation);
        let contact = ContactBody::parse(self.contact.as_ref(), &mut validation);
        let (Some(customer_id), Some(shipping_address), Some(contact)) =
            (customer_id, shipping_address, contact)
        else {
            return Err(validation.into_problem());
        };
        Ok(CheckOutCart {
            cart_id,
            customer_id,
            shipping_address,
            contact,
            checked_out_at,
        })
    }
}
