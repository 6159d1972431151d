//! The API server's certificates and the key of service accounts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};

/// Files in PEM.
pub(crate) struct Certificates {
    pub(crate) ca: PathBuf,
    pub(crate) server: PathBuf,
    pub(crate) server_key: PathBuf,
    /// Signs the tokens of service accounts.
    pub(crate) accounts_key: PathBuf,
    /// Tells whether they are right.
    pub(crate) accounts_public: PathBuf,
}

impl Certificates {
    pub(crate) fn write(folder: &Path) -> Result<Certificates> {
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let server = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        let accounts = KeyPair::generate()?;
        let file = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            anyhow::Ok(path)
        };
        Ok(Certificates {
            ca: file("ca.crt", issuer.pem())?,
            server: file("server.crt", server.pem())?,
            server_key: file("server.key", key.serialize_pem())?,
            accounts_key: file("accounts.key", accounts.serialize_pem())?,
            accounts_public: file("accounts.pub", accounts.public_key_pem())?,
        })
    }
}
