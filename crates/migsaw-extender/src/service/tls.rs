//! Certificates: loading, and loading anew when the files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::metrics::Metrics;

/// How often the files are looked at. Kubernetes swaps a symlink when a Secret changes, so their content counts.
const LOOK: Duration = Duration::from_secs(5);
/// How often they are read again at most until they are what they were just before.
const READS: usize = 5;

/// Where the certificates are, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, with those that lead to its CA.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The CA of clients; without one clients need no certificate.
    pub client_ca: Option<PathBuf>,
}

/// What keeps certificates from being used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of the kind.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key are no pair, or the CA is none.
    #[error("{certificate} and {key}: {reason}", certificate = certificate.display(), key = key.display())]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
}

/// Loaded certificates.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// The bytes of the files.
    seen: Vec<Vec<u8>>,
    /// When the server's certificate ends, in seconds since 1970.
    pub(super) expiry: i64,
}

impl TlsFiles {
    pub(super) fn load(&self) -> Result<Loaded, TlsError> {
        let wrong = |path: &Path, reason: &dyn std::fmt::Display| TlsError::File {
            path: path.to_owned(),
            reason: reason.to_string(),
        };
        let seen = self.read()?;
        let certificates = |bytes: &[u8], path: &Path| {
            let found: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(bytes).collect();
            let found = found.map_err(|error| wrong(path, &error))?;
            if found.is_empty() { Err(wrong(path, &"there is no PEM certificate in it")) } else { Ok(found) }
        };
        let chain = certificates(&seen[0], &self.certificate)?;
        let expiry = X509Certificate::from_der(&chain[0]).map_err(|error| wrong(&self.certificate, &error))?;
        let expiry = expiry.1.validity().not_after.timestamp();
        let key = PrivateKeyDer::from_pem_slice(&seen[1]).map_err(|error| wrong(&self.key, &error))?;
        let builder = ServerConfig::builder();
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(&seen[2], path)? {
                    roots.add(certificate).map_err(|error| wrong(path, &error))?;
                }
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| wrong(path, &error))?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| TlsError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            reason: error.to_string(),
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Loaded { config: Arc::new(config), seen, expiry })
    }

    /// The files, as they were at one moment: a volume may be swapped between reading one and the next.
    fn read(&self) -> Result<Vec<Vec<u8>>, TlsError> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| TlsError::File { path: path.clone(), reason: error.to_string() })
        };
        let all = || {
            let files = [&self.certificate, &self.key].into_iter().chain(&self.client_ca);
            files.map(read).collect::<Result<Vec<Vec<u8>>, TlsError>>()
        };
        let mut seen = all()?;
        for _ in 0..READS {
            let again = all()?;
            if again == seen {
                break;
            }
            seen = again;
        }
        Ok(seen)
    }
}

/// Takes new certificates into use when the files change. Broken ones are said and counted, and the ones before stay.
pub(super) async fn keep_current(files: TlsFiles, mut loaded: Loaded, config: RustlsConfig, metrics: Arc<Metrics>) {
    let mut failed = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let seen = files.read();
        // The same broken files are said once.
        if seen.as_ref().is_ok_and(|seen| *seen == loaded.seen || failed.as_ref() == Some(seen)) {
            continue;
        }
        match files.load() {
            Ok(newer) => {
                config.reload_from_config(Arc::clone(&newer.config));
                metrics.certificate_expiry.get_or_create(&[]).set(newer.expiry);
                tracing::info!(expiry = newer.expiry, "the server's certificate was loaded anew");
                (loaded, failed) = (newer, None);
            }
            Err(error) => {
                metrics.certificate_errors.inc();
                tracing::error!(%error, "the server's certificate could not be loaded anew; the one before stays");
                failed = seen.ok();
            }
        }
    }
}
