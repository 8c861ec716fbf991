//! Servers that take nobody without TLS and a password, as those in production do.

use std::fmt;

/// What a server shows to its clients, and what it asks of them.
#[derive(Clone)]
pub struct Secured {
    /// The server's certificate, for 127.0.0.1: PEM.
    pub certificate: String,
    /// Its private key: PEM, PKCS #8, not encrypted.
    pub key: String,
    /// The certificate of who has signed the server's: PEM.
    pub authority: String,
    /// The password of the one user that there is.
    pub password: String,
}

/// Nothing of it is shown.
impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured").finish_non_exhaustive()
    }
}
