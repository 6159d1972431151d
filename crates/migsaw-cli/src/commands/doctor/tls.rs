//! What the scheduler's configuration gives for TLS.

use k8s_openapi::ByteString;
use reqwest::Identity;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;

use super::Finding;
use super::config::nullable;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Tls {
    #[serde(deserialize_with = "nullable")]
    pub(super) insecure: bool,
    #[serde(deserialize_with = "nullable")]
    pub(super) server_name: String,
    #[serde(deserialize_with = "nullable")]
    ca_file: String,
    #[serde(deserialize_with = "nullable")]
    ca_data: String,
    #[serde(deserialize_with = "nullable")]
    cert_file: String,
    #[serde(deserialize_with = "nullable")]
    cert_data: String,
    #[serde(deserialize_with = "nullable")]
    key_file: String,
    #[serde(deserialize_with = "nullable")]
    key_data: String,
}

/// Why something that is given cannot be used.
pub(super) enum Trouble {
    /// The file is not to be had here; where the scheduler runs it may be.
    Away(String),
    /// The scheduler could not use it either.
    Wrong(String),
}

impl Trouble {
    pub(super) fn finding(self, wanted: &str) -> Finding {
        match self {
            Trouble::Away(found) => Finding::warning("tlsConfig", found, "run doctor where kube-scheduler runs"),
            Trouble::Wrong(found) => Finding::problem("tlsConfig", found, wanted),
        }
    }
}

impl Tls {
    /// The CA, PEM, if there is one.
    pub(super) fn ca(&self) -> Option<Result<Vec<u8>, Trouble>> {
        let pem = given(("caData", &self.ca_data), ("caFile", &self.ca_file))?;
        Some(pem.and_then(|pem| match certificates(&pem) {
            Ok(()) => Ok(pem),
            Err(error) => Err(Trouble::Wrong(format!("the CA is no certificate: {error}"))),
        }))
    }

    /// The scheduler's own certificate with its key, if there is one.
    pub(super) fn identity(&self) -> Option<Result<Identity, Trouble>> {
        let certificate = given(("certData", &self.cert_data), ("certFile", &self.cert_file))?;
        let key = given(("keyData", &self.key_data), ("keyFile", &self.key_file))?;
        Some(key.and_then(|key| {
            let pem = [key, certificate?].concat();
            Identity::from_pem(&pem)
                .map_err(|error| Trouble::Wrong(format!("the scheduler's certificate cannot be used: {error}")))
        }))
    }
}

/// What is given as base64, which goes before, or as a file.
fn given(data: (&str, &str), file: (&str, &str)) -> Option<Result<Vec<u8>, Trouble>> {
    let ((data_member, data), (file_member, file)) = (data, file);
    if !data.is_empty() {
        // Go passes over line ends.
        let text = data.replace(['\r', '\n'], "");
        let bytes = serde_json::from_value::<ByteString>(json!(text));
        return Some(bytes.map(|bytes| bytes.0).map_err(|_| Trouble::Wrong(format!("{data_member} is no base64"))));
    }
    if file.is_empty() {
        return None;
    }
    let read = std::fs::read(file);
    Some(read.map_err(|error| Trouble::Away(format!("{file_member} cannot be read here: {file}: {error}"))))
}

/// Whether these are certificates to check others against.
fn certificates(pem: &[u8]) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("there is none in it".to_owned()) } else { Ok(()) }
}
