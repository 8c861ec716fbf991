//! Why no connection to Postgres was had, and what to do.

use std::{fmt, io::ErrorKind, time::Duration};

use sqlx::postgres::PgConnectOptions;

/// SQLSTATE `invalid_catalog_name`.
const NO_DATABASE: &str = "3D000";
/// The class of SQLSTATE that is about who connects, `invalid_authorization_specification`.
const ABOUT_US: &str = "28";

/// What has kept somebody from connecting to Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Nobody listens there, or no Postgres.
    Away,
    /// Whoever listens there says nothing.
    Silent {
        /// For so long.
        within: Duration,
    },
    /// A file that is named is not there.
    NoFile,
    /// They do not agree on TLS.
    Tls,
    /// User or password, or where they come from.
    User,
    /// There is no database of that name.
    NoDatabase,
    /// Something else that Postgres minds.
    Refused,
    /// The address is none.
    Address,
}

impl Obstacle {
    /// What it was, going by what connecting has failed with.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Tls(_) => Self::Tls,
            sqlx::Error::Io(error) if error.kind() == ErrorKind::NotFound => Self::NoFile,
            sqlx::Error::Database(refused) => Self::of_code(refused.code().as_deref()),
            sqlx::Error::Configuration(_) => Self::Address,
            _ => Self::Away,
        }
    }

    fn of_code(code: Option<&str>) -> Self {
        match code {
            Some(NO_DATABASE) => Self::NoDatabase,
            Some(code) if code.starts_with(ABOUT_US) => Self::User,
            _ => Self::Refused,
        }
    }

    /// What to do.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Away => "start Postgres, or name another one with --database-url",
            Self::Silent { .. } => {
                "see whether it hangs, its disk is full, or something else listens there, or name another one with --database-url"
            }
            Self::NoFile => {
                "see whether the file is there that --database-url names, such as sslrootcert"
            }
            Self::Tls => {
                "see whether sslmode and sslrootcert of --database-url are for this Postgres (docs/operating.md)"
            }
            Self::User => {
                "see user, password and sslmode of --database-url, and pg_hba.conf of Postgres"
            }
            Self::NoDatabase => {
                "create it, then type: offset-zero migrate; or name another one with --database-url"
            }
            Self::Refused => "see Postgres and its log for why, then try again",
            Self::Address => {
                "see --database-url: it is like postgres://user:password@host:5432/database"
            }
        }
    }
}

/// What Postgres, which was named, is like.
impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = match self {
            Self::Silent { within } => {
                return write!(f, "has not answered within {} s", within.as_secs_f64());
            }
            Self::Away => "cannot be reached",
            Self::NoFile => "cannot be reached as was said",
            Self::Tls => "cannot be reached over TLS",
            Self::User => "refuses this user",
            Self::NoDatabase => "has no such database",
            Self::Refused => "refuses the connection",
            Self::Address => "is not named in a way that can be read",
        };
        f.write_str(told)
    }
}

/// Which Postgres: host, port and database, without the user and the password.
#[must_use]
pub fn address(options: &PgConnectOptions) -> String {
    let port = options.get_port();
    let database = options
        .get_database()
        .unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{}:{port}/{database}", socket.display()),
        None => format!("{}:{port}/{database}", options.get_host()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::Database;

    #[test]
    fn whoever_has_no_connection_is_told_to_start_postgres_only_where_it_may_be_away() {
        let remedy = |error: &sqlx::Error| Obstacle::of(error).remedy();
        let refused = remedy(&sqlx::Error::Io(ErrorKind::ConnectionRefused.into()));
        assert!(refused.contains("start Postgres"), "{refused}");
        let missing = remedy(&sqlx::Error::Io(ErrorKind::NotFound.into()));
        assert!(missing.contains("sslrootcert"), "{missing}");
        let unknown = remedy(&sqlx::Error::Tls("certificate verify failed".into()));
        assert!(unknown.contains("sslrootcert"), "{unknown}");
        for (code, obstacle) in [
            (Some("28P01"), Obstacle::User),
            (Some("28000"), Obstacle::User),
            (Some("3D000"), Obstacle::NoDatabase),
            (Some("57P03"), Obstacle::Refused),
            (None, Obstacle::Refused),
        ] {
            assert_eq!(Obstacle::of_code(code), obstacle, "{code:?}");
        }
    }

    #[tokio::test]
    async fn whoever_has_no_connection_is_told_to_what_and_never_the_password() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let url = format!("postgres://orders:SECRET@{address}/shop");
        let database = Database::new(&url).expect("an address");
        let Err(error) = database.connect().await else {
            panic!("nobody listens");
        };
        let expected = format!("postgres at {address}/shop cannot be reached; start Postgres");
        assert!(error.to_string().starts_with(&expected), "{error}");
        let told = error.in_full();
        assert!(!told.contains("SECRET"), "{told}");
    }
}
