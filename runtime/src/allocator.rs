//! The allocator of every program that links this crate.
//!
//! What one thread decodes another applies and frees: glibc's allocator spends a quarter of a rehydration on that
//! (docs/adr/0002-dependencies.md).

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
