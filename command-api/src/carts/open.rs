//! `POST /v1/carts`.

use axum::extract::State;
use domain::cart::{CartCommand, OpenCart};
use runtime::{extract::OptionalJson, problem::Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CartService, execute};
use crate::{
    answer::{Answered, CommandAnswer},
    execute::{ANONYMOUS, Received},
    intake::{CommandHeaders, Intake},
    validation::Validation,
};

const PATH: &str = "/v1/carts";
/// On whose behalf a cart is opened where nobody says. No customer can be called so: an id has a character at least.
const GUEST: &str = "";

/// Who shops. May be absent.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[schema(as = OpenCart)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenCartBody {
    /// The client's own name for who shops: 1 to 128 printable characters; none for a guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128, example = "ada")]
    customer_id: Option<String>,
}

/// Opens a cart.
#[utoipa::path(
    post,
    path = "/v1/carts",
    tag = "carts",
    params(CommandHeaders),
    request_body = Option<OpenCartBody>,
    responses(
        (status = 201, body = CommandAnswer, headers(
            ("location" = String, description = "Where the query API shows it"),
            ("etag" = String, description = "The version, for `If-Match`"),
            ("x-position" = String, description = "Where it is in the log, for `x-min-position`"),
            ("idempotency-replayed" = Option<bool>, description = "`true` where this is the first answer again"),
        )),
        (status = 400, description = "`malformed-json`, `invalid-idempotency-key`, `invalid-if-match`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`cart-exists`", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`version-mismatch`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation-failed`, `idempotency-key-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not applied; `outcome-unknown`: perhaps", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn open_cart(
    State(service): State<CartService>,
    intake: Intake,
    OptionalJson(body): OptionalJson<OpenCartBody>,
) -> Result<Answered, Problem> {
    let mut validation = Validation::default();
    let given = body.customer_id.as_deref();
    let customer_id = validation.parse_optional(format_args!("/customer_id"), given);
    let Some(customer_id) = customer_id else {
        return Err(validation.into_problem());
    };
    let principal = given.unwrap_or(GUEST);
    let cart_id = intake.cart_id(principal, PATH);
    let command = CartCommand::Open(OpenCart {
        cart_id,
        customer_id,
        opened_at: intake.received_at,
    });
    let received = Received {
        command_id: intake.command_id(principal, PATH),
        correlation_id: cart_id.as_uuid(),
        actor: given.unwrap_or(ANONYMOUS).into(),
        body: &body,
        intake,
    };
    let answered = execute(&service, command, received).await?;
    Ok(answered.created(format!("{PATH}/{cart_id}")))
}
