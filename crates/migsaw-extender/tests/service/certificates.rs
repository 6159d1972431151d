//! Certificates of a test's own, and clients that know them.

use std::path::{Path, PathBuf};

use migsaw_extender::service::TlsFiles;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use reqwest::{Certificate, Client, ClientBuilder, Identity};

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// What rustls encrypts with.
pub(crate) fn install() {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for 127.0.0.1 with this common name and these DNS names.
    pub(crate) fn issue(&self, common_name: &str, dns: &[&str]) -> Pair {
        let key = KeyPair::generate().unwrap();
        let names = dns.iter().copied().chain(["127.0.0.1"]).map(str::to_owned);
        let mut params = CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A client that trusts this authority alone.
    pub(crate) fn trusting(&self) -> ClientBuilder {
        install();
        let root = Certificate::from_pem(self.pem().as_bytes()).unwrap();
        Client::builder().tls_certs_only([root]).tls_info(true)
    }

    /// The same with a certificate of its own.
    pub(crate) fn trusting_as(&self, pair: &Pair) -> Client {
        let identity = Identity::from_pem(format!("{}{}", pair.certificate, pair.key).as_bytes()).unwrap();
        self.trusting().identity(identity).build().unwrap()
    }
}

impl Pair {
    /// Writes it where the service will look for it.
    pub(crate) fn write(&self, folder: &Path) -> TlsFiles {
        let [certificate, key] = [("tls.crt", &self.certificate), ("tls.key", &self.key)].map(|(name, text)| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        });
        TlsFiles { certificate, key, client_ca: None }
    }
}

/// Writes the authority of clients.
pub(crate) fn with_clients_of(authority: &Authority, folder: &Path, files: TlsFiles) -> TlsFiles {
    let path: PathBuf = folder.join("clients.crt");
    std::fs::write(&path, authority.pem()).unwrap();
    TlsFiles { client_ca: Some(path), ..files }
}
