//! How notifications are configured.

use std::path::PathBuf;

use clap::Args;
use domain::notification::WebhookUrl;
use lettre::message::Mailbox;
use runtime::signature::Secret;

use super::mail::{DEFAULT_SENDER, MailServer, Mailer};

/// Flags of the notification service.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Notifications")]
pub struct NotificationArgs {
    /// The mail server that notifications leave by, such as smtp://127.0.0.1:25 or smtps://user:password@mail.example.com.
    #[arg(
        long,
        env = "OFFSET_ZERO_SMTP_URL",
        hide_env_values = true,
        value_name = "URL",
        conflicts_with = "mail_folder"
    )]
    pub smtp_url: Option<MailServer>,

    /// Write mails into this folder instead. Without either, no mail is sent.
    #[arg(long, env = "OFFSET_ZERO_MAIL_FOLDER", value_name = "FOLDER")]
    pub mail_folder: Option<PathBuf>,

    /// Who mails come from.
    #[arg(
        long,
        env = "OFFSET_ZERO_MAIL_SENDER",
        value_name = "NAME <ADDRESS>",
        default_value = DEFAULT_SENDER
    )]
    pub mail_sender: Mailbox,

    /// A system that is told of orders over HTTP; may be given several times. It is kept in events, so it must not hold a
    /// password.
    #[arg(
        long = "notify-webhook",
        env = "OFFSET_ZERO_NOTIFY_WEBHOOKS",
        value_name = "URL",
        value_delimiter = ','
    )]
    pub notify_webhooks: Vec<WebhookUrl>,

    /// What those webhooks are signed with; without it, a secret that anybody can read, for development.
    #[arg(
        long,
        env = "OFFSET_ZERO_NOTIFY_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub notify_webhook_secret: Option<Secret>,

    /// At the service's first start, tell of everything that has happened before, too.
    #[arg(long, env = "OFFSET_ZERO_NOTIFY_HISTORY")]
    pub notify_history: bool,
}

impl NotificationArgs {
    /// How mails leave.
    #[must_use]
    pub fn mailer(&self) -> Mailer {
        let sender = self.mail_sender.clone();
        match (&self.smtp_url, &self.mail_folder) {
            (Some(server), _) => Mailer::server(sender, server.clone()),
            (None, Some(folder)) => Mailer::folder(sender, folder.clone()),
            (None, None) => Mailer::off(sender),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        notifications: NotificationArgs,
    }

    fn parse(arguments: &[&str]) -> Result<NotificationArgs, String> {
        let arguments = [&["command-api"], arguments].concat();
        let flags = Flags::try_parse_from(arguments);
        flags
            .map(|flags| flags.notifications)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_has_to_be_said() {
        let args = parse(&[]).expect("defaults");
        assert_eq!(
            args.mail_sender.to_string(),
            "Offset Zero <orders@offset-zero.example>"
        );
        assert!(args.notify_webhooks.is_empty() && !args.notify_history);
    }

    #[test]
    fn a_mail_leaves_by_one_way() {
        let server = "--smtp-url=smtps://ada:sesame@mail.example.com";
        let args = parse(&[server]).expect("a server");
        assert!(!format!("{args:?}").contains("sesame"), "{args:?}");
        assert!(parse(&[server, "--mail-folder=mails"]).is_err());
        for url in ["mail.example.com", "http://mail.example.com"] {
            let error = parse(&["--smtp-url", url]).expect_err("no server");
            assert!(error.contains("smtp://127.0.0.1:25"), "{error}");
        }
    }

    #[test]
    fn webhooks_are_urls() {
        let two = "--notify-webhook=http://a.example/,http://b.example/";
        let args = parse(&[two, "--notify-webhook=http://c.example/"]).expect("three");
        let urls: Vec<_> = args
            .notify_webhooks
            .iter()
            .map(WebhookUrl::as_str)
            .collect();
        assert_eq!(
            urls,
            [
                "http://a.example/",
                "http://b.example/",
                "http://c.example/"
            ]
        );
        assert!(parse(&["--notify-webhook=a.example"]).is_err());
    }
}
