//! What is wrong with the log: owners, transactions, events.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::IsTerminal,
    time::{Duration, Instant},
};

use anyhow::Result;
use domain::{
    Context, cart::Carts, notification::Notifications, order::Orders, payment::Payments,
    product::Products, shipping::Shipments, topics,
};
use event_store::{LogError, Owned, audit, kafka::KafkaLog, log::Log};
use tokio::task::spawn_blocking;

use super::{Findings, UNREADABLE, pace::Pace};
use crate::{
    args::Target,
    client::{Standing, standing},
    owners::{Place, places},
};

/// Every service, and the topics whose streams are its own.
const SERVICES: [Owned; 6] = [
    owned::<Products>(),
    owned::<Carts>(),
    owned::<Orders>(),
    owned::<Payments>(),
    owned::<Shipments>(),
    owned::<Notifications>(),
];

/// A transaction ends with its timeout (10 s) and the broker's scan interval (10 s by default).
const TRANSACTIONS_END_WITHIN: Duration = Duration::from_secs(25);
const PAUSE: Duration = Duration::from_millis(250);
/// Between two lines on how far the reading is.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

const fn owned<C: Context>() -> Owned {
    Owned {
        service: C::SERVICE,
        topics: C::TOPICS,
    }
}

/// Whether a broker answers; nothing else can be looked at before.
pub(super) async fn is_reachable(
    log: &KafkaLog,
    target: &Target,
    findings: &mut Findings,
) -> Result<bool> {
    let asked = log.clone();
    let cluster = spawn_blocking(move || asked.cluster_id()).await?;
    match &cluster {
        Ok(cluster) => findings.well("kafka", format!("cluster {cluster} answers")),
        Err(error) => findings.wrong(
            "kafka",
            format!("{}: {error}", target.kafka.brokers),
            "start the brokers, name others with --kafka-brokers, or say with --kafka-property how they want to be spoken to \
             (docs/operating.md)",
        ),
    }
    Ok(cluster.is_ok())
}

/// Whether each partition of each service has an owner that answers, and is ready.
pub(super) async fn owners(log: &KafkaLog, partitions: i32, findings: &mut Findings) -> Result<()> {
    let before = findings.0.len();
    let asked = log.clone();
    let services = SERVICES.map(|owned| owned.service);
    let places = match spawn_blocking(move || places(&asked, services, partitions)).await? {
        Ok(places) => places,
        Err(error) => {
            findings.wrong("owners", error.to_string(), UNREADABLE);
            return Ok(());
        }
    };
    look_at_owners(&places, findings).await;
    let detail = format!(
        "{} partitions have owners that answer, and are ready",
        places.len()
    );
    findings.well_if_none_since(before, "owners", detail);
    Ok(())
}

/// Whether who answers where an owner was is a process that runs its service, and can do its work: one that cannot takes no commands
/// for what it owns.
async fn look_at_owners(places: &[Place], findings: &mut Findings) {
    const NOBODY: &str = "start a command API that runs the service (--services)";
    const UNREADY: &str =
        "see to what it names, and its log; docs/operating.md says what stands behind it";
    let standings = standings(places).await;
    let mut faults: Vec<Fault<'_>> = Vec::new();
    let mut wrong = |detail: String, remedy: &'static str| findings.wrong("owners", detail, remedy);
    for (service, partition, owner) in places {
        let place = format!("{service}-{partition}");
        let address = match owner {
            None => {
                wrong(format!("nobody has ever owned {place}"), NOBODY);
                continue;
            }
            Some(owner) if owner.released => {
                wrong(format!("nobody owns {place} now"), NOBODY);
                continue;
            }
            Some(owner) => owner.address.as_str(),
        };
        let kind = match &standings[address] {
            Standing::Away => Kind::Silent,
            Standing::Ready(checks) if checks.contains(*service) => continue,
            Standing::Ready(_) | Standing::Foreign => Kind::Another,
            // Told below; it does not say what else it runs.
            Standing::Unready(_) => continue,
        };
        let place = (*service, *partition);
        let known = faults
            .iter_mut()
            .find(|fault| fault.address == address && fault.kind == kind);
        match known {
            Some(fault) => fault.owned.push(place),
            None => faults.push(Fault {
                address,
                kind,
                owned: vec![place],
            }),
        }
    }
    for fault in &faults {
        wrong(fault.to_string(), fault.remedy());
    }
    for (address, standing) in &standings {
        if let Standing::Unready(why) = standing {
            wrong(format!("{address} is alive, and not ready: {why}"), UNREADY);
        }
    }
}

/// What is wrong at the address of an owner, told once for all that it owns.
struct Fault<'a> {
    address: &'a str,
    kind: Kind,
    owned: Vec<(&'static str, i32)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Silent,
    Another,
}

impl Fault<'_> {
    const fn remedy(&self) -> &'static str {
        match self.kind {
            Kind::Silent => {
                "start that process again, or another one that runs the service: it takes over"
            }
            Kind::Another => {
                "see what listens there, and start the owner again, or another process that runs the service: it takes over"
            }
        }
    }
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owned = runs(&self.owned);
        let are = if self.owned.len() == 1 { "is" } else { "are" };
        let wrong = match self.kind {
            Kind::Silent => "which does not answer /health/live",
            Kind::Another => "where something answers that does not run the service",
        };
        write!(f, "{owned} {are} owned by {}, {wrong}", self.address)
    }
}

/// Partitions by service, as they come: `cart-0 to 3, order-5`.
fn runs(places: &[(&str, i32)]) -> String {
    let runs = places.chunk_by(|one, next| one.0 == next.0 && one.1 + 1 == next.1);
    let told = runs.map(|run| match run {
        [(service, first), .., (_, last)] => format!("{service}-{first} to {last}"),
        [(service, only)] => format!("{service}-{only}"),
        [] => String::new(),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// How those stand who hold these, by address.
async fn standings(places: &[Place]) -> BTreeMap<&str, Standing> {
    let owners = places.iter().filter_map(|(_, _, owner)| owner.as_ref());
    let holders = owners.filter(|owner| !owner.released);
    let addresses: BTreeSet<_> = holders.map(|owner| owner.address.as_str()).collect();
    let mut standings = BTreeMap::new();
    for address in addresses {
        standings.insert(address, standing(&format!("http://{address}")).await);
    }
    standings
}

/// Whether a transaction that nobody ends hides what comes after it.
pub(super) async fn transactions(log: &KafkaLog, findings: &mut Findings) -> Result<()> {
    const REMEDY: &str = "see docs/operating.md (A transaction that nobody ends) for how to find out whether it may be aborted";
    let asked = log.clone();
    let held = spawn_blocking(move || held_back(&asked)).await?;
    match held {
        Ok(held) if held.is_empty() => {
            findings.well("transactions", "none is left hanging");
        }
        Ok(held) => {
            for (topic, partition, stable) in held {
                let detail = format!(
                    "{topic}/{partition} can be read to offset {stable} only, for more than {} s",
                    TRANSACTIONS_END_WITHIN.as_secs()
                );
                findings.wrong("transactions", detail, REMEDY);
            }
        }
        Err(error) => findings.wrong("transactions", error.to_string(), UNREADABLE),
    }
    Ok(())
}

/// Partitions whose readers have stood at one offset for longer than any transaction may take, with more behind it.
fn held_back(log: &KafkaLog) -> Result<Vec<(&'static str, i32, i64)>, LogError> {
    let mut held = Vec::new();
    for topic in topics::ALL {
        for partition in 0..log.partitions(topic)? {
            let end = log.end_offset(topic, partition)?;
            let stable = log.stable_offset(topic, partition)?;
            if stable < end {
                held.push((topic, partition, stable));
            }
        }
    }
    let until = Instant::now() + TRANSACTIONS_END_WITHIN;
    while !held.is_empty() && Instant::now() < until {
        std::thread::sleep(PAUSE);
        let mut still = Vec::new();
        for (topic, partition, stable) in held {
            if log.stable_offset(topic, partition)? == stable {
                still.push((topic, partition, stable));
            }
        }
        held = still;
    }
    Ok(held)
}

/// Whether all decisions are whole, all events there once, and all streams without a gap.
pub(super) async fn events(log: &KafkaLog, findings: &mut Findings) -> Result<()> {
    const REMEDY: &str = "stop the service, keep the topics as they are, and see docs/operating.md";
    let log = log.clone();
    let audited = spawn_blocking(move || {
        let begun = Instant::now();
        let mut told_at = begun;
        audit(&log, &SERVICES, |passed, total| {
            if told_at.elapsed() >= LINE_INTERVAL {
                told_at = Instant::now();
                let elapsed = begun.elapsed();
                let pace = Pace {
                    passed,
                    total,
                    elapsed,
                };
                pace.tell();
            }
        })
    });
    let audited = audited.await?;
    if std::io::stderr().is_terminal() {
        // What was told of the progress makes room.
        eprint!("\r\x1b[K");
    }
    match audited {
        Err(error) => findings.wrong("events", error.to_string(), UNREADABLE),
        Ok(audited) if audited.findings.is_empty() => {
            let detail = format!("{} events, each once, of whole decisions", audited.events);
            findings.well("events", detail);
        }
        Ok(audited) => {
            for finding in &audited.findings {
                findings.wrong("events", finding.to_string(), REMEDY);
            }
            if audited.more > 0 {
                findings.wrong("events", format!("and {} more", audited.more), REMEDY);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use event_store::{OwnershipRecord, log::CommitterId};
    use runtime::health::Readiness;
    use uuid::Uuid;

    use super::*;
    use crate::client::testing::{server, stranger};

    fn owned_by(address: &str, service: &'static str, partition: i32) -> Place {
        let owner = OwnershipRecord {
            service: service.to_owned(),
            partition,
            generation: 1,
            instance: Uuid::nil(),
            member: None,
            committer: CommitterId::new(),
            address: address.to_owned(),
            released: false,
            unmended: false,
        };
        (service, partition, Some(owner))
    }

    async fn told(places: &[Place]) -> Vec<String> {
        let mut findings = Findings::default();
        look_at_owners(places, &mut findings).await;
        let findings = findings.0.into_iter();
        findings
            .inspect(|finding| assert!(!finding.ok, "{finding:?}"))
            .map(|finding| finding.detail)
            .collect()
    }

    #[tokio::test]
    async fn who_answers_where_an_owner_was_has_to_run_the_service() {
        let readiness = Readiness::new(["order"]);
        let owner = server(readiness.clone()).await;
        readiness.set("order", Ok(()));
        let (stranger, gone) = (stranger().await, dev::ports::free().expect("a port"));
        let gone = format!("127.0.0.1:{gone}");
        let places = [
            owned_by(&owner, "order", 0),
            owned_by(&owner, "cart", 1),
            owned_by(&stranger, "order", 2),
            owned_by(&gone, "order", 3),
            owned_by(&gone, "order", 4),
            owned_by(&gone, "order", 6),
            owned_by(&gone, "payment", 7),
        ];
        let another = "where something answers that does not run the service";
        assert_eq!(
            told(&places).await,
            [
                format!("cart-1 is owned by {owner}, {another}"),
                format!("order-2 is owned by {stranger}, {another}"),
                format!(
                    "order-3 to 4, order-6, payment-7 are owned by {gone}, which does not answer /health/live"
                ),
            ]
        );
    }

    #[tokio::test]
    async fn an_owner_that_is_not_ready_is_told_once_with_its_reason() {
        let readiness = Readiness::new(["kafka", "order"]);
        let owner = server(readiness.clone()).await;
        readiness.set("kafka", Ok(()));
        readiness.set("order", Err("3: it is being taken over".to_owned()));
        let places = [0, 3].map(|partition| owned_by(&owner, "order", partition));
        let why = "order: 3: it is being taken over";
        let expected = format!("{owner} is alive, and not ready: {why}");
        assert_eq!(told(&places).await, [expected]);
    }
}
