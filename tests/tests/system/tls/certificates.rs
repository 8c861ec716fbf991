//! Certificates that nobody but a test believes.

use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, PKeyRef, Private},
    x509::{
        X509, X509Builder, X509Name, X509NameBuilder, X509NameRef,
        extension::{BasicConstraints, KeyUsage, SubjectAlternativeName},
    },
};

/// X.509 counts its versions from 0.
const VERSION_3: i32 = 2;
const SERIAL_BITS: i32 = 120;
const VALID_DAYS: u32 = 2;

/// Somebody who signs certificates.
pub(super) struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Result<Self, ErrorStack> {
        let name = common_name(name)?;
        let key = new_key()?;
        let mut certificate = unsigned(&name, &name, &key)?;
        certificate.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        certificate.append_extension(KeyUsage::new().critical().key_cert_sign().build()?)?;
        certificate.sign(&key, MessageDigest::sha256())?;
        Ok(Self {
            certificate: certificate.build(),
            key,
        })
    }

    /// Its own certificate, as PEM.
    pub(super) fn certificate(&self) -> Result<String, ErrorStack> {
        self.certificate.to_pem().map(text)
    }

    /// A certificate for a server at 127.0.0.1, and the server's private key, both as PEM.
    pub(super) fn server(&self) -> Result<(String, String), ErrorStack> {
        let name = common_name("a server")?;
        let key = new_key()?;
        let mut certificate = unsigned(&name, self.certificate.subject_name(), &key)?;
        let address = SubjectAlternativeName::new()
            .ip("127.0.0.1")
            .build(&certificate.x509v3_context(None, None))?;
        certificate.append_extension(address)?;
        certificate.sign(&self.key, MessageDigest::sha256())?;
        let certificate = certificate.build().to_pem()?;
        Ok((text(certificate), text(key.private_key_to_pem_pkcs8()?)))
    }
}

fn unsigned(
    subject: &X509NameRef,
    issuer: &X509NameRef,
    key: &PKeyRef<Private>,
) -> Result<X509Builder, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(SERIAL_BITS, MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    let (from, until) = (
        Asn1Time::days_from_now(0)?,
        Asn1Time::days_from_now(VALID_DAYS)?,
    );
    let mut certificate = X509::builder()?;
    certificate.set_version(VERSION_3)?;
    certificate.set_serial_number(&serial)?;
    certificate.set_subject_name(subject)?;
    certificate.set_issuer_name(issuer)?;
    certificate.set_not_before(&from)?;
    certificate.set_not_after(&until)?;
    certificate.set_pubkey(key)?;
    Ok(certificate)
}

fn common_name(name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_text("CN", name)?;
    Ok(builder.build())
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&curve)?)
}

fn text(pem: Vec<u8>) -> String {
    String::from_utf8(pem).expect("PEM is ASCII")
}
