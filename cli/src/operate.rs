//! Commands on a system that runs.

use anyhow::Result;
use event_store::kafka::KafkaLog;
use projectors::{
    Database,
    args::{DeadLettersCommand, ProjectionsCommand, RebuildArgs},
};
use serde_json::json;

use crate::{args::Target, output::print};

/// Brings the database to the newest schema.
pub async fn migrate(target: &Target, json: bool) -> Result<()> {
    let migrated = projectors::migrate(&target.database_url).await?;
    match json {
        true => {
            let report = json!({"migrated": true, "applied": migrated.0});
            print(format_args!("{report}"))
        }
        false => print(format_args!("{migrated}")),
    }
}

/// Rebuilds projections one after the other; answers whether a dry run has found that this would change them.
pub async fn rebuild(target: &Target, wanted: &RebuildArgs, json: bool) -> Result<bool> {
    let log = KafkaLog::connect(&target.kafka.config())?;
    let database = Database::new(&target.database_url)?;
    wanted.run_and_print(&log, &database, json).await
}

/// Does something to a projection.
pub async fn operate(target: &Target, command: ProjectionsCommand, json: bool) -> Result<()> {
    let log = KafkaLog::connect(&target.kafka.config())?;
    let database = Database::new(&target.database_url)?;
    let done = command.run(&log, &database).await?;
    match json {
        true => print(format_args!("{}", json!({ "done": done }))),
        false => print(format_args!("{done}")),
    }
}

/// Does something with events that could not be applied.
pub async fn dead_letters(target: &Target, command: &DeadLettersCommand, json: bool) -> Result<()> {
    let log = KafkaLog::connect(&target.kafka.config())?;
    let database = Database::new(&target.database_url)?;
    let said = command.run(&log, &database, json).await?;
    print(format_args!("{said}"))
}
