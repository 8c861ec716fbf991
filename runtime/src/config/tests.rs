use std::{
    io::Write,
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

use clap::Subcommand;

use super::*;

/// A server for tests.
#[derive(Debug, Parser)]
#[command(name = "server", version)]
struct Server {
    /// Where to listen.
    #[arg(long, env = "RUNTIME_TEST_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// What to serve.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    services: Vec<String>,
    /// Required, wherever it comes from.
    #[arg(long)]
    database_url: String,
    #[arg(long)]
    strict: bool,
    /// Nobody is to see it.
    #[arg(
        long,
        env = "RUNTIME_TEST_PIN",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pin: Vec<u32>,
    #[command(subcommand)]
    command: Option<Sub>,
}

#[derive(Debug, Subcommand)]
enum Sub {
    Rebuild {
        #[arg(long, default_value_t = 1)]
        partitions: u32,
    },
}

struct TempFile(PathBuf);

impl TempFile {
    fn new(text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("offset-zero-config-{}-{number}.toml", std::process::id());
        let path = env::temp_dir().join(name);
        let mut file = fs::File::create(&path).expect("temporary file");
        file.write_all(text.as_bytes()).expect("written");
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn parse_with(file: &str, flags: &[&str]) -> Result<Server, clap::Error> {
    let file = TempFile::new(file);
    let mut arguments = vec!["server".into(), "--config".into(), file.0.clone().into()];
    arguments.extend(flags.iter().map(OsString::from));
    try_parse_from(arguments)
}

#[test]
fn takes_what_flags_leave_open_from_the_file() {
    let file = "listen = '0.0.0.0:1'\ndatabase_url = 'postgres://file'\nservices = ['cart', 'order']\nstrict = true\n";
    let server = parse_with(file, &["--listen", "0.0.0.0:2"]).expect("parsed");
    assert_eq!(server.listen.port(), 2);
    assert_eq!(server.database_url, "postgres://file");
    assert_eq!(server.services, ["cart", "order"]);
    assert!(server.strict);
}

#[test]
fn splits_a_string_as_on_the_command_line() {
    let file = "services = 'cart,order'\npin = '1,2'\ndatabase-url = 'x'";
    let server = parse_with(file, &[]).expect("parsed");
    assert_eq!(server.services, ["cart", "order"]);
    assert_eq!(server.pin, [1, 2]);
    assert!(!server.strict);
}

#[test]
fn reaches_the_flags_of_subcommands() {
    let file = "database_url = 'x'\npartitions = 8";
    let server = parse_with(file, &["rebuild"]).expect("parsed");
    assert!(matches!(
        server.command,
        Some(Sub::Rebuild { partitions: 8 })
    ));
}

#[test]
fn refuses_an_unknown_key_and_names_the_known() {
    let error = parse_with("lisen = '0.0.0.0:1'", &[]).expect_err("refused");
    let text = error.to_string();
    assert!(text.contains("unknown key `lisen`"), "{text}");
    let known = "database-url, listen, partitions, pin, services, strict";
    assert!(text.contains(known), "{text}");
}

#[test]
fn refuses_values_that_the_flag_would_refuse() {
    for (file, expected) in [
        ("listen = 'nowhere'", "'nowhere' for '--listen"),
        ("strict = 'perhaps'", "'perhaps' for '--strict"),
        ("[listen]\nport = 1", "`listen` has to be a plain value"),
        ("listen = ", "TOML parse error"),
    ] {
        let text = parse_with(file, &[]).expect_err("refused").to_string();
        assert!(text.contains(expected), "{file}: {text}");
    }
}

#[test]
fn a_refused_secret_is_not_shown() {
    let by_flag = parse_with("database_url = 'x'", &["--pin", "1,12E4"]);
    let by_file = parse_with("database_url = 'x'\npin = ['1', '12E4']", &[]);
    for parsed in [by_flag, by_file] {
        let text = parsed.expect_err("refused").to_string();
        assert!(text.contains("invalid value '…' for '--pin"), "{text}");
        assert!(!text.contains("12E4"), "{text}");
    }
}

#[test]
fn says_which_file_is_missing() {
    let arguments = ["server", "--config=/nowhere/at.toml"].map(OsString::from);
    let error = try_parse_from::<Server>(arguments.to_vec()).expect_err("refused");
    assert!(error.to_string().contains("/nowhere/at.toml"));
}

#[test]
fn prefers_the_environment_to_the_file() {
    // Cargo sets it for every test; the parser takes the rest of its arguments from the same place.
    #[derive(Debug, Parser)]
    struct Environment {
        #[arg(long, env = "CARGO_PKG_NAME")]
        name: String,
    }
    let file = TempFile::new("name = 'from the file'");
    let arguments = vec!["server".into(), "--config".into(), file.0.clone().into()];
    let parsed: Environment = try_parse_from(arguments).expect("parsed");
    assert_eq!(parsed.name, env!("CARGO_PKG_NAME"));
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    // Cargo sets it for every test, and the package has no homepage.
    const NOTHING: &str = "CARGO_PKG_HOMEPAGE";

    #[derive(Debug, Parser)]
    struct Environment {
        #[arg(long, env = NOTHING)]
        number: u32,
        #[command(subcommand)]
        command: Below,
    }

    #[derive(Debug, Subcommand)]
    enum Below {
        List {
            #[arg(long, env = NOTHING)]
            numbers: Vec<u32>,
        },
    }

    assert_eq!(env::var_os(NOTHING), Some(OsString::new()));
    let file = TempFile::new("number = 8");
    let path = file.0.clone().into();
    let arguments = vec!["server".into(), "--config".into(), path, "list".into()];
    let parsed: Environment = try_parse_from(arguments).expect("parsed");
    let Below::List { numbers } = parsed.command;
    assert_eq!((parsed.number, numbers), (8, Vec::new()));
}

#[test]
fn help_tells_of_the_file() {
    let arguments = ["server", "--help"].map(OsString::from);
    let error = try_parse_from::<Server>(arguments.to_vec()).expect_err("help");
    assert_eq!(error.kind(), ErrorKind::DisplayHelp);
    assert!(error.to_string().contains("OFFSET_ZERO_CONFIG"));
}
