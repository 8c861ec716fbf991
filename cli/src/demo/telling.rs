//! What can be seen of it all.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use super::{Demo, order_url, wait_for};
use crate::client::get;

/// What the customer is told of an order that goes well.
const MAILS: usize = 4;

/// The order's history across services.
pub async fn history(demo: &Demo, order: &str) -> Result<()> {
    let prose = demo.prose;
    prose.step("its history across services: GET /v1/orders/{id}/history")?;
    let url = format!("{}/history", order_url(demo, order));
    let history = get(&url).await?;
    for item in history.body["items"].as_array().into_iter().flatten() {
        let text = |member: &str| item[member].as_str().unwrap_or_default().to_owned();
        prose.say(format_args!(
            "   {:<26} {:<50} {}",
            text("type"),
            text("stream"),
            text("position")
        ))?;
    }
    Ok(())
}

/// The mails that the customer got: order, payment, shipped, delivered.
pub async fn mails(demo: &Demo, order: &str) -> Result<()> {
    let prose = demo.prose;
    prose.step("the mails, as the notification service wrote them")?;
    let url = format!(
        "{}/v1/notifications?order_id={order}",
        demo.running.query_api.url
    );
    wait_for(&url, |sent| {
        let items = sent.body["items"].as_array();
        let sent = items.into_iter().flatten();
        sent.filter(|item| item["status"] == "sent").count() >= MAILS
    })
    .await?;
    let mut mails = read_mails(&demo.running.mails)?;
    mails.retain(|mail| mail.contains(order));
    ensure!(
        mails.len() >= MAILS,
        "only {} mails were written",
        mails.len()
    );
    for mail in mails {
        let subject = mail.lines().find(|line| line.starts_with("Subject: "));
        let to = mail.lines().find(|line| line.starts_with("To: "));
        prose.say(format_args!(
            "   {}   {}",
            to.unwrap_or("To: ?"),
            subject.unwrap_or("?")
        ))?;
    }
    Ok(())
}

fn read_mails(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            files.push((fs::metadata(&path)?.modified()?, path));
        }
    }
    files.sort();
    let read = |(_, path): &(_, _)| Ok(fs::read_to_string(path)?);
    files.iter().map(read).collect()
}

/// The gateway's own books.
pub async fn books(demo: &Demo) -> Result<()> {
    let prose = demo.prose;
    prose.step("the gateway's books: GET /books")?;
    let books = get(&format!("{}/books", demo.running.gateway.url)).await?;
    for payment in books.body["payments"].as_array().into_iter().flatten() {
        prose.say(format_args!(
            "   order {}   authorised {:>5}   captured {:>5}   refunded {:>5}   voided {}",
            payment["order_id"].as_str().unwrap_or_default(),
            payment["authorised"],
            payment["captured"],
            payment["refunded"],
            payment["voided"]
        ))?;
    }
    Ok(())
}
