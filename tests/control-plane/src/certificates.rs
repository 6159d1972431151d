//! Certificates of the servers, and the key of service accounts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// Files in PEM.
pub(crate) struct Certificates {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
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
        let accounts = KeyPair::generate()?;
        let [server, server_key] = issue(folder, &issuer, "server")?;
        Ok(Certificates {
            folder: folder.to_owned(),
            ca: file(folder, "ca.crt", issuer.pem())?,
            issuer,
            server,
            server_key,
            accounts_key: file(folder, "accounts.key", accounts.serialize_pem())?,
            accounts_public: file(folder, "accounts.pub", accounts.public_key_pem())?,
        })
    }

    /// A certificate with this name as common name, for this machine, and its key.
    pub(crate) fn issue(&self, name: &str) -> Result<[PathBuf; 2]> {
        issue(&self.folder, &self.issuer, name)
    }
}

fn issue(folder: &Path, issuer: &CertifiedIssuer<'_, KeyPair>, name: &str) -> Result<[PathBuf; 2]> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(["127.0.0.1", "localhost"].map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.signed_by(&key, issuer)?;
    let key = file(folder, &format!("{name}.key"), key.serialize_pem())?;
    Ok([file(folder, &format!("{name}.crt"), certificate.pem())?, key])
}

fn file(folder: &Path, name: &str, text: String) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
