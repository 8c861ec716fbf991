//! What every command may be answered, and which may come without a body, as the description of the API says it: no route
//! says so for itself.

use utoipa::{
    Modify,
    openapi::{OpenApi, RefOr, Required, Schema, path::Operation},
};

/// Of each body that is read.
const OF_BODIES: [(&str, &str); 3] = [
    ("408", "`request-timeout`: the body did not come in time"),
    ("413", "`body-too-large`"),
    ("415", "`unsupported-media-type`"),
];
/// Told beside what a route says of its own 400.
const MALFORMED: &str = ", `invalid-position`, `incomplete-body`";

/// Says both of every command.
pub(crate) struct Common;

impl Modify for Common {
    fn modify(&self, description: &mut OpenApi) {
        let items = description.paths.paths.values_mut();
        let operations = items.flat_map(|item| [&mut item.post, &mut item.put]);
        let commands = operations
            .flatten()
            .filter(|operation| is_command(operation));
        commands.for_each(|command| {
            add_responses(command);
            leave_null_out(command);
        });
    }
}

/// The gateway's webhook is none.
fn is_command(operation: &Operation) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name == "idempotency-key",
        RefOr::Ref(_) => false,
    })
}

fn add_responses(command: &mut Operation) {
    let responses = &mut command.responses.responses;
    let Some(RefOr::T(malformed)) = responses.get_mut("400") else {
        return;
    };
    let like = malformed.clone();
    malformed.description.push_str(MALFORMED);
    for (status, description) in OF_BODIES {
        let mut response = like.clone();
        description.clone_into(&mut response.description);
        responses.insert(status.to_owned(), RefOr::T(response));
    }
}

/// A body that may be absent is an `Option` where its route is described, which stands for a body that may be null, too. That
/// is refused as any other that is no object.
fn leave_null_out(command: &mut Operation) {
    let Some(RefOr::T(body)) = &mut command.request_body else {
        return;
    };
    if body.required == Some(Required::True) {
        return;
    }
    body.required = Some(Required::False);
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else {
            continue;
        };
        let Some(RefOr::T(Schema::OneOf(either))) = &content.schema else {
            continue;
        };
        let mut items = either.items.iter();
        let object = items.find(|item| matches!(item, RefOr::Ref(_)));
        content.schema = object.cloned();
    }
}
