//! What every command may be answered, as the description of the API says it: no route says so for itself.

use utoipa::{
    Modify,
    openapi::{OpenApi, RefOr, path::Operation},
};

/// Of each body that is read.
const OF_BODIES: [(&str, &str); 3] = [
    ("408", "`request-timeout`: the body did not come in time"),
    ("413", "`body-too-large`"),
    ("415", "`unsupported-media-type`"),
];
/// Told beside what a route says of its own 400.
const MALFORMED: &str = ", `invalid-position`, `incomplete-body`";

/// Adds them to every command.
pub(crate) struct Common;

impl Modify for Common {
    fn modify(&self, description: &mut OpenApi) {
        let items = description.paths.paths.values_mut();
        let operations = items.flat_map(|item| [&mut item.post, &mut item.put]);
        let commands = operations
            .flatten()
            .filter(|operation| is_command(operation));
        commands.for_each(add);
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

fn add(command: &mut Operation) {
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
