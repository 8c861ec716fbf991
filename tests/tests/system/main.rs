//! The system as its users meet it: real processes over real Kafka and Postgres.

mod journey;
mod kills;
mod outages;
mod owners;
mod races;
mod rebuild;

/// A test's world is made on a blocking thread: starting processes blocks.
async fn world() -> system_tests::World {
    blocking(system_tests::World::new).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}
