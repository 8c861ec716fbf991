//! `docs/events.md` is made of the golden files, and the JSON Schemas beside them of the code, so that they say what is
//! really in the topics.
//!
//! To write it anew after a change: `UPDATE_DOCS=1 cargo test -p system-tests --test events`.

mod schemas;
mod told;

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf};

use self::{
    schemas::schema,
    told::{TOPICS, Told},
};

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn golden(told: &Told) -> String {
    let file = format!("events/golden/{}.{}.json", told.name, told.version);
    fs::read_to_string(docs().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn page() -> String {
    let mut page = String::from(
        "# Events\n\n\
         Every topic and every event in it, with an example of each version: the golden file that every build reads and \
         writes. This page is made of them by a test, and so are the JSON Schemas in `events/`.\n\n\
         Values are JSON. What is known of an event besides its payload travels in CloudEvents headers (binary mode): \
         `ce_id`, `ce_type`, `ce_source` (`/order`), `ce_subject` (the stream), `ce_time`, `ce_dataschema` (ends in the \
         version), `ce_correlationid`, `ce_causationid`, `ce_commandid`, `ce_commandhash`, `ce_actor`, \
         `ce_streamversion`, `ce_txn` (decision; place; of), `ce_traceparent`. Unknown members are to be ignored. The \
         partition is Kafka's default (murmur2) of the key.\n",
    );
    for (topic, key, events) in TOPICS {
        write!(page, "\n## {topic}\n\nKey: {key}.\n").expect("a string takes it");
        for told in events {
            let Told {
                name,
                version,
                producer,
                consumers,
                what,
            } = told;
            let read_by = match *consumers {
                "" => "projectors".to_owned(),
                consumers => format!("{consumers}; projectors"),
            };
            write!(
                page,
                "\n### {name}, version {version}\n\n{what} From: {producer}. Read by: {read_by}.\n\n```json\n{}\n```\n",
                golden(told).trim_end()
            )
            .expect("a string takes it");
        }
    }
    page
}

#[test]
fn the_page_tells_what_the_golden_files_hold() {
    let path = docs().join("events.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("the page is written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/events.md is stale; type: UPDATE_DOCS=1 cargo test -p system-tests --test events"
    );
}

/// A change of an event's shape shows here: it needs a new version, with an upcaster and a golden file of its own.
#[test]
fn the_schemas_are_those_of_the_code() {
    let mut stale = Vec::new();
    for told in TOPICS.iter().flat_map(|(_, _, events)| *events) {
        let path = docs().join(format!("events/{}.{}.schema.json", told.name, told.version));
        let schema = serde_json::to_string_pretty(&schema(told.name)).expect("a schema is JSON");
        let schema = format!("{schema}\n");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &schema).expect("the schema is written");
        }
        if fs::read_to_string(&path).unwrap_or_default() != schema {
            stale.push(told.name);
        }
    }
    assert!(
        stale.is_empty(),
        "these events have another shape than their schemas in docs/events say: {stale:?}"
    );
}

#[test]
fn every_golden_file_is_told() {
    let told: BTreeSet<String> = TOPICS
        .iter()
        .flat_map(|(_, _, events)| *events)
        .map(|told| format!("{}.{}.json", told.name, told.version))
        .collect();
    let files = fs::read_dir(docs().join("events/golden")).expect("the folder is there");
    let files: BTreeSet<String> = files
        .map(|file| {
            file.expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(told, files);
}
