//! Commands on a system that runs.

use anyhow::Result;
use event_store::kafka::KafkaLog;
use projectors::{
    Database,
    args::{DeadLettersCommand, ProjectionsCommand, RebuildArgs},
};
use serde_json::json;

use crate::args::Target;

/// Brings the database to the newest schema.
pub async fn migrate(target: &Target, json: bool) -> Result<()> {
    projectors::migrate(&target.database_url).await?;
    match json {
        true => println!("{}", json!({"migrated": true})),
        false => println!("the database has the newest schema"),
    }
    Ok(())
}

/// Rebuilds projections one after the other; answers whether a dry run has found that this would change them.
pub async fn rebuild(target: &Target, wanted: &RebuildArgs, json: bool) -> Result<bool> {
    let log = KafkaLog::connect(&target.kafka.config())?;
    let database = Database::new(&target.database_url)?;
    let print = |text: &str| println!("{text}");
    Ok(wanted.run(&log, &database, json, print).await?)
}

/// Does something to a projection.
pub async fn operate(target: &Target, command: ProjectionsCommand, json: bool) -> Result<()> {
    let log = KafkaLog::connect(&target.kafka.config())?;
    let database = Database::new(&target.database_url)?;
    let done = command.run(&log, &database).await?;
    match json {
        true => println!("{}", json!({ "done": done })),
        false => println!("{done}"),
    }
    Ok(())
}

/// Does something with events that could not be applied.
pub async fn dead_letters(target: &Target, command: &DeadLettersCommand, json: bool) -> Result<()> {
    let log = KafkaLog::connect(&target.kafka.config())?;
    let database = Database::new(&target.database_url)?;
    println!("{}", command.run(&log, &database, json).await?);
    Ok(())
}
