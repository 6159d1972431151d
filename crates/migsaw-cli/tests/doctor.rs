//! What `migsaw doctor` says of a scheduler's configuration, and of an extender that it asks by it.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{file, migsaw};
use k8s_openapi::ByteString;
use migsaw::geometry::Catalog;
use migsaw_extender::fleet::Keeper;
use migsaw_extender::service::{App, Config, Health, Metrics, Service, TlsFiles};
use migsaw_extender::{Extender, Settings};
use migsaw_kube::scheduling::Change;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::Value;

const URL: &str = "http://127.0.0.1:1";

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/scheduler/kubeadm.yaml");
    std::fs::read_to_string(path).unwrap()
}

/// The shipped configuration with a CA filled in.
fn filled(config: &str) -> String {
    config.replace("CA_DATA", &Authority::new().data())
}

/// An authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate as `caData` has it.
    fn data(&self) -> String {
        let data = serde_json::to_value(ByteString(self.0.pem().into_bytes())).unwrap();
        data.as_str().unwrap().to_owned()
    }

    /// A certificate for this name, and its key.
    fn issue(&self, folder: &tempfile::TempDir, name: &str) -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        [("crt", certificate), ("key", key.serialize_pem())]
            .map(|(kind, pem)| file(folder, &format!("{name}.{kind}"), pem))
    }
}

/// An extender of an empty cluster, without `--bind`. It ends with the runtime.
fn serve(tls: Option<TlsFiles>) -> (tokio::runtime::Runtime, SocketAddr) {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let inside = runtime.enter();
    let mut keeper = Keeper::new(&Catalog::builtin());
    keeper.apply(Change::NodesAre(HashSet::new())).unwrap();
    keeper.apply(Change::PodsAre(HashSet::new())).unwrap();
    let loopback: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let (verbs, health, metrics) = (loopback, loopback, loopback);
    let (shutdown_delay, drain_timeout) = (Duration::ZERO, Duration::ZERO);
    let config = Config { verbs, health, metrics, tls, insecure_http: false, shutdown_delay, drain_timeout };
    let service = Service::bind(config).unwrap();
    let at = service.addresses().unwrap().verbs;
    let app = App {
        answers: Extender::new(Arc::clone(keeper.fleet()), Settings::default()),
        bind: None,
        metrics: Arc::new(Metrics::default()),
        health: Arc::new(Health::new(Box::new(Vec::new), Duration::from_secs(90), false)),
        client_names: Vec::new(),
        follow: None,
        debug: false,
        max_body: 1 << 20,
        max_in_flight: 16,
        timeout: Duration::from_secs(60),
    };
    runtime.spawn(service.run(Arc::new(app), std::future::pending()));
    drop(inside);
    (runtime, at)
}

/// The verdicts on a configuration by what they are about, those that are `ok` left out.
fn findings(config: &str, more: &[&str]) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "scheduler.yaml", config);
    let ran = migsaw(&[&["doctor", "-o", "json", "--scheduler-config", &path], more].concat());
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.map(|finding| (text(finding, "about"), text(finding, "verdict")));
    findings.filter(|(_, verdict)| verdict != "ok").collect()
}

#[test]
fn the_configuration_that_is_shipped_is_as_it_should_be() {
    assert_eq!(findings(&filled(&shipped()), &[]), []);
}

#[test]
fn each_setting_that_hurts_is_named() {
    let check = |from: &str, to: &str, about: &str, verdict: &str| {
        let config = shipped();
        assert!(config.contains(from), "{from}");
        let found = findings(&filled(&config.replace(from, to)), &[]);
        assert_eq!(found, [(about.to_owned(), verdict.to_owned())], "{to}");
    };
    check("filterVerb: filter", "filterVerb: Filter", "verbs", "problem");
    check("preemptVerb: preempt", "# none", "verbs", "problem");
    check("# bindVerb: bind", "bindVerb: Bind", "verbs", "problem");
    check("weight: 5", "weight: 0", "verbs", "problem");
    check("https://SERVICE_IP:443", "http://10.96.0.20:80", "tlsConfig", "problem");
    check("caData: CA_DATA", "insecure: true", "tlsConfig", "problem");
    check("caData: CA_DATA", "# no CA", "tlsConfig", "problem");
    check("caData: CA_DATA", "caData: QUJD", "tlsConfig", "problem");
    check("caData: CA_DATA", "caData: a CA", "tlsConfig", "problem");
    check("caData: CA_DATA", "caFile: /away/ca.crt", "tlsConfig", "warning");
    check("caData: CA_DATA", "caData: CA_DATA\n    certData: QUJD\n    keyData: QUJD", "tlsConfig", "problem");
    check("{name: nvidia.com/mig-1g.10gb, ", "{name: example.com/x, ", "managedResources", "warning");
    check(
        "mig-1g.10gb, ignoredByScheduler: false",
        "mig-1g.10gb, ignoredByScheduler: true",
        "ignoredByScheduler",
        "problem",
    );
    check("nodeCacheCapable: true", "nodeCacheCapable: false", "nodeCacheCapable", "warning");
    check("percentageOfNodesToScore: 100", "# default", "percentageOfNodesToScore", "warning");
    check("ignorable: false", "ignorable: true", "ignorable", "warning");
    check("managedResources:\n", "managedResources: null\nothers:\n", "managedResources", "problem");
    check("extenders:\n", "extenders: null\nothers:\n", "extenders", "problem");
}

#[test]
fn what_kube_scheduler_would_not_start_with_is_named() {
    let check = |from: &str, to: &str, about: &str| {
        let found = findings(&filled(&shipped().replace(from, to)), &[]);
        assert_eq!(found, [(about.to_owned(), "problem".to_owned())], "{to}");
    };
    check("config.k8s.io/v1", "config.k8s.io/v1beta3", "apiVersion");
    check("weight: 5", "weight: 5\n  nodeCacheCapabel: true", "members");
    check("caData: CA_DATA", "caData: CA_DATA\n    servername: a.b", "members");
    check("httpTimeout: 2s", "httpTimeout: 2", "httpTimeout");
    check("httpTimeout: 2s", "httpTimeout: '2'", "httpTimeout");
    let resource = "  - {name: nvidia.com/mig-1g.10gb, ignoredByScheduler: false}\n";
    check(resource, &resource.repeat(2), "managedResources");
    let beside = |name: &str| {
        let other = format!("extenders:\n- urlPrefix: {URL}\n  managedResources:\n  - name: {name}\n");
        let config =
            filled(&shipped()).replace("extenders:\n", &other).replace("https://SERVICE_IP:443", "http://[::1]:1");
        findings(&config, &["--url", "http://[::1]:1"]).iter().any(|(about, _)| about == "managedResources")
    };
    assert!(beside("nvidia.com/mig-1g.10gb"));
    assert!(!beside("example.com/other"));
}

#[test]
fn a_profile_may_look_at_all_nodes_by_itself() {
    let is_sampled = |to: &str| {
        let found = findings(&filled(&shipped().replace("percentageOfNodesToScore: 100", to)), &[]);
        assert!(found.iter().all(|(about, _)| about == "percentageOfNodesToScore"), "{found:?}");
        !found.is_empty()
    };
    let profiles = "profiles:\n- schedulerName: default-scheduler\n- schedulerName: migsaw-scheduler\n";
    assert!(is_sampled(profiles));
    assert!(!is_sampled(&format!("{profiles}  percentageOfNodesToScore: 100")));
    assert!(!is_sampled(&format!("percentageOfNodesToScore: 100\n{profiles}")));
    assert!(is_sampled("percentageOfNodesToScore: 100\nprofiles:\n- percentageOfNodesToScore: 50"));
}

#[test]
fn a_bind_verb_needs_an_extender_that_binds() {
    let (_runtime, at) = serve(None);
    let url = format!("http://{at}");
    let config = filled(&shipped()).replace("https://SERVICE_IP:443", &url);
    assert_eq!(findings(&config, &["--url", &url]), []);
    let binds = config.replace("# bindVerb: bind", "bindVerb: bind");
    assert_eq!(findings(&binds, &["--url", &url]), [("bind".to_owned(), "problem".to_owned())]);
}

#[test]
fn the_extender_is_asked_with_what_the_scheduler_has() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let ca = file(&folder, "ca.crt", authority.0.pem());
    // As behind a Service: the certificate has a name, the scheduler an address.
    let [certificate, key] = authority.issue(&folder, "migsaw-extender.migsaw.svc");
    let [client, client_key] = authority.issue(&folder, "kube-scheduler");
    let files = TlsFiles { certificate: certificate.into(), key: key.into(), client_ca: None };
    let (_open, open) = serve(Some(files.clone()));
    let (_closed, closed) = serve(Some(TlsFiles { client_ca: Some(ca.clone().into()), ..files }));
    let config = shipped().replace("CA_DATA", &authority.data());
    let ask = |at: SocketAddr, config: &str, more: &[&str]| {
        let url = format!("https://{at}");
        findings(&config.replace("https://SERVICE_IP:443", &url), &[&["--url", &url], more].concat())
    };
    let problem = |about: &str| vec![(about.to_owned(), "problem".to_owned())];
    assert_eq!(ask(open, &config, &[]), []);
    let unnamed = config.replace("serverName: migsaw-extender.migsaw.svc", "insecure: false");
    assert_eq!(ask(open, &unnamed, &[]), problem("filter"));
    let other = shipped().replace("CA_DATA", &Authority::new().data());
    assert_eq!(ask(open, &other, &["--ca", &ca]), problem("filter"), "the scheduler's CA is what counts");

    assert_eq!(ask(closed, &config, &[]), problem("filter"));
    let own = ["--cert", &client, "--key", &client_key];
    assert_eq!(ask(closed, &config, &own), problem("clients"), "the scheduler has none");
    let has = config.replace("# certFile: /etc/kubernetes/migsaw/client.crt", &format!("certFile: {client}"));
    let has = has.replace("# keyFile: /etc/kubernetes/migsaw/client.key", &format!("keyFile: {client_key}"));
    assert_eq!(ask(closed, &has, &[]), []);
}

#[test]
fn only_this_machine_is_this_machine() {
    let of = |url: &str| findings(&filled(&shipped().replace("https://SERVICE_IP:443", url)), &[]);
    for url in ["http://127.0.0.1:1", "http://127.0.0.2:1", "http://localhost:1", "'http://[::1]:1/path'"] {
        assert_eq!(of(url), [], "{url}");
    }
    for url in ["http://localhost.example:1", "http://127.0.0.1.example:1", "http://127.0.0.1@10.0.0.1:1"] {
        assert_eq!(of(url), [("tlsConfig".to_owned(), "problem".to_owned())], "{url}");
    }
}

#[test]
fn an_extender_that_sees_only_the_shortlist_is_named() {
    let ours = filled(&shipped()).replace("https://SERVICE_IP:443", URL).replace("  enableHTTPS: true\n", "");
    let other = |filters: &str, more: &str| format!("- urlPrefix: http://127.0.0.1:2\n{filters}{more}");
    let with = |before: &str, after: &str| {
        let config = ours.replace("extenders:\n", &format!("extenders:\n{before}")) + after;
        let found = findings(&config, &["--url", URL]);
        found.iter().any(|(about, verdict)| about == "extenders" && verdict == "warning")
    };
    let filters = "  filterVerb: filter\n";
    assert!(!with("", ""));
    assert!(with("", &other(filters, "")), "after it");
    assert!(!with("", &other("  prioritizeVerb: prioritize\n  weight: 1\n", "")), "it only scores");
    assert!(!with(&other(filters, ""), ""), "before it");
    assert!(with(&other(filters, "  ignorable: true\n"), ""), "ignorable ones come last");
}
