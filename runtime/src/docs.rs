//! The API described: `/openapi.json`, and `/docs` for people.

use axum::{
    Router,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

use crate::problem::Problem;

/// Both routes.
pub fn docs(described: OpenApi) -> Router {
    let docs: Router = SwaggerUi::new("/docs")
        .url("/openapi.json", described)
        .into();
    docs.route_layer(middleware::map_response(missing_as_problem))
}

/// Where there is no such file, Swagger UI answers with a status alone.
async fn missing_as_problem(response: Response) -> Response {
    match response.status() {
        StatusCode::NOT_FOUND => Problem::route_not_found().into_response(),
        _ => response,
    }
}
