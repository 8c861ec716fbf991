//! Reads that are only answered where something has changed, as the API's description tells them. What reads the header is
//! [`runtime::entity_tag::IfNoneMatch`].

use utoipa::IntoParams;

/// The header.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what the extractor reads")]
pub(crate) struct ConditionHeaders {
    /// An `ETag` that was given before, or several: 304 without a body where it is still that.
    #[param(rename = "if-none-match", example = "\"7\"")]
    if_none_match: Option<String>,
}
