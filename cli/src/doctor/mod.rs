//! `offset-zero doctor`: what is wrong, and what to do about it.

mod topics;

mod log;
mod pace;
mod reactors;
mod read_side;

use std::{borrow::Cow, time::Duration};

use anyhow::{Result, bail};
use domain::topics::ALL as EVENT_TOPICS;
use event_store::{OWNERSHIP_TOPIC, kafka::KafkaLog};
use serde::Serialize;

use crate::{args::Target, output, projections::ANSWER_TIMEOUT};

/// What to do where a check could not be made: its own remedies are for what it did not get to see.
const UNREADABLE: &str = "look again when the log can be read";

/// Something that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    check: &'static str,
    /// Whether it is as it has to be.
    ok: bool,
    /// How it is.
    detail: String,
    /// What to do; none where nothing has to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<Cow<'static, str>>,
}

/// Everything that was looked at.
#[derive(Debug, Default, Serialize)]
struct Findings(Vec<Finding>);

impl Findings {
    fn well(&mut self, check: &'static str, detail: impl Into<String>) {
        self.0.push(Finding {
            check,
            ok: true,
            detail: detail.into(),
            remedy: None,
        });
    }

    fn wrong(
        &mut self,
        check: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) {
        self.0.push(Finding {
            check,
            ok: false,
            detail: detail.into(),
            remedy: Some(remedy.into()),
        });
    }

    /// That all is well, where nothing was found wrong since.
    fn well_if_none_since(&mut self, before: usize, check: &'static str, detail: String) {
        if self.0.len() == before {
            self.well(check, detail);
        }
    }
}

/// Looks at everything, and fails where something is wrong.
pub async fn run(target: &Target, json: bool) -> Result<()> {
    let mut findings = Findings::default();
    let kafka = KafkaLog::connect(&target.kafka.config())?;
    let earlier = read_side::Earlier::look(&target.database_url, ANSWER_TIMEOUT).await;
    if log::is_reachable(&kafka, target, &mut findings).await? {
        let policies = reactors::Earlier::look(&kafka).await;
        let unseen = topics::look(&kafka, target, &mut findings).await?;
        if unseen.allows("owners", &[OWNERSHIP_TOPIC], &mut findings) {
            log::owners(&kafka, target.partitions, &mut findings).await?;
        }
        if unseen.allows("transactions", &EVENT_TOPICS, &mut findings) {
            log::transactions(&kafka, &mut findings).await?;
        }
        if unseen.allows("events", &EVENT_TOPICS, &mut findings) {
            log::events(&kafka, &mut findings).await?;
        }
        if unseen.allows("policies", &EVENT_TOPICS, &mut findings) {
            reactors::look(&kafka, policies, &mut findings).await;
        }
    }
    let database_url = &target.database_url;
    read_side::look(database_url, ANSWER_TIMEOUT, earlier, &mut findings).await;

    let wrong = findings.0.iter().filter(|finding| !finding.ok).count();
    match json {
        true => {
            let report = serde_json::json!({"ok": wrong == 0, "findings": findings});
            output::print(format_args!("{}", serde_json::to_string_pretty(&report)?))?;
        }
        false => print(&findings)?,
    }
    match wrong {
        0 => Ok(()),
        wrong => bail!("{wrong} of {} things are wrong", findings.0.len()),
    }
}

fn print(findings: &Findings) -> Result<()> {
    for Finding {
        check,
        ok,
        detail,
        remedy,
    } in &findings.0
    {
        let mark = if *ok { "ok   " } else { "WRONG" };
        // It may quote what lies in the log.
        let detail = output::printable(detail);
        output::print(format_args!("{mark}  {check:<12} {detail}"))?;
        if let Some(remedy) = remedy {
            output::print(format_args!("       {:<12} -> {remedy}", ""))?;
        }
    }
    Ok(())
}

/// So far behind a policy or a projection may be while it goes on.
const MAX_LAG: i64 = 1_000;
/// Between two looks at who is far behind: whoever goes on shows once a second, or more often, how far it has come.
const LOOKS_APART: Duration = Duration::from_secs(3);
