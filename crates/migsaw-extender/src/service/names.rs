//! Who may ask, by the name in the client's certificate.

use axum_server::tls::TlsInfo;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Whether the client's certificate bears one of these names, as common name or as DNS name.
pub(super) fn bears_one_of(names: &[String], info: &TlsInfo) -> bool {
    let Some(first) = info.peer_certificates.first() else { return false };
    let Ok((_, certificate)) = X509Certificate::from_der(first) else { return false };
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let dns = alternative.iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    common.chain(dns).any(|name| names.iter().any(|known| known == name))
}
