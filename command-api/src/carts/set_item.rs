//! `PUT /v1/carts/{id}/items/{sku}`.

use axum::extract::State;
use domain::{
    cart::{CartCommand, RemoveCartItem, SetCartItem},
    ids::{CartId, Sku},
    money::Money,
    quantity::Quantity,
};
use runtime::{
    extract::{ApiJson, ApiPath},
    problem::Problem,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{CartService, answer, execute};
use crate::{
    answer::{Answered, CommandAnswer},
    execute::{ANONYMOUS, Received, first_answer},
    intake::{CommandHeaders, Intake, PricingHeaders},
    problems::{self, InvalidCartQuantity},
    validation::{SkuSegment, Validation},
};

/// How many of it.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = SetCartItem)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetCartItemBody {
    /// 0 takes it out.
    #[schema(minimum = 0, maximum = 100_000, example = 2)]
    quantity: i64,
}

/// Says how many of a SKU are in a cart, at the price that the catalogue asks now.
///
/// Saying the same again changes nothing, unless the price has changed.
#[utoipa::path(
    put,
    path = "/v1/carts/{id}/items/{sku}",
    tag = "carts",
    params(("id" = Uuid, Path), ("sku" = String, Path), CommandHeaders, PricingHeaders),
    request_body = SetCartItemBody,
    responses(
        (status = 200, body = CommandAnswer, headers(
            ("etag" = String, description = "The version, for `If-Match`"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-id`, `invalid-idempotency-key`, `invalid-if-match`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`cart-not-found`, `product-not-found`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`cart-checked-out`, `too-many-items`, `product-discontinued`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `currency-mismatch`, `amount-overflow`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`, `not-yet-visible`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn set_cart_item(
    State(service): State<CartService>,
    ApiPath(item): ApiPath<(Uuid, SkuSegment)>,
    intake: Intake,
    ApiJson(body): ApiJson<SetCartItemBody>,
) -> Result<Answered, Problem> {
    let (id, SkuSegment(sku)) = item;
    let quantity = body.parse()?;
    let path = format!("/v1/carts/{id}/items/{sku}");
    let cart_id = CartId::from(id);
    let changed_at = intake.received_at;
    let removal = || {
        CartCommand::Remove(RemoveCartItem {
            cart_id,
            sku: sku.clone(),
            changed_at,
        })
    };
    let command = match quantity {
        Some(quantity) => {
            let unit_price = price(&service, &sku, &intake).await;
            unit_price.map(|unit_price| {
                CartCommand::Set(SetCartItem {
                    cart_id,
                    sku: sku.clone(),
                    quantity,
                    unit_price,
                    changed_at,
                })
            })
        }
        // What has left the catalogue can leave the cart, too.
        None => Ok(removal()),
    };
    let received = Received {
        command_id: intake.command_id(&path, &path),
        correlation_id: id,
        actor: ANONYMOUS.into(),
        body: &body,
        intake,
    };
    match command {
        Ok(command) => execute(&service, command, received).await,
        // Whatever has become of the product since, a repetition gets the first answer.
        Err(problem) => {
            let accepted = first_answer(&service.store, removal(), received, problem).await?;
            answer(cart_id, &accepted)
        }
    }
}

async fn price(service: &CartService, sku: &Sku, intake: &Intake) -> Result<Money, Problem> {
    service.catalogue.seen(&intake.min_position).await?;
    let found = service.catalogue.find(&[sku]).await?;
    match found.first().copied().flatten() {
        Some(listing) if listing.discontinued => Err(problems::product_discontinued()),
        Some(listing) => Ok(listing.price),
        None => Err(problems::product_not_found()),
    }
}

impl SetCartItemBody {
    /// None where it is to be taken out.
    fn parse(&self) -> Result<Option<Quantity>, Problem> {
        if self.quantity == 0 {
            return Ok(None);
        }
        let mut validation = Validation::default();
        let quantity = Quantity::try_from(self.quantity).map_err(|_| InvalidCartQuantity);
        match validation.check(format_args!("/quantity"), quantity) {
            Some(quantity) => Ok(Some(quantity)),
            None => Err(validation.into_problem()),
        }
    }
}
