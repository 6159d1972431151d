//! Who gets in: certificates of the server, of clients, and names.

use std::path::Path;

use migsaw_extender::service::{Config, Service, ServiceError, TlsFiles};
use reqwest::{Client, Response, Version};

use super::certificates::{Authority, Pair, install, with_clients_of};
use super::raw::Connection;
use super::{Setup, Site, config, extender, question};

async fn ask(client: &Client, site: &Site) -> reqwest::Result<Response> {
    client.post(format!("https://{}/filter", site.at.verbs)).body(question()).send().await
}

/// Whether a client is answered: the status, or nothing if there was no connection to ask on.
async fn status(client: &Client, site: &Site) -> Option<u16> {
    ask(client, site).await.ok().map(|answer| answer.status().as_u16())
}

fn client(builder: reqwest::ClientBuilder) -> Client {
    builder.build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_know_the_authority_get_answers_in_http_1_and_2() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let tls = Some(authority.issue("server", &[]).write(folder.path()));
    let site = Site::start(extender(), Setup { tls, ..Setup::default() }).await;
    for (builder, version) in
        [(authority.trusting().http1_only(), Version::HTTP_11), (authority.trusting(), Version::HTTP_2)]
    {
        let client = client(builder);
        for _ in 0..3 {
            let answer = ask(&client, &site).await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
            assert!(answer.text().await.unwrap().contains(r#""NodeNames":["a"]"#));
        }
    }
    assert_eq!(status(&client(Authority::new().trusting()), &site).await, None, "who does not know it goes away");
    // Who speaks plain HTTP gets none.
    let mut plain = Connection::to(site.at.verbs).await;
    plain.send(super::raw::request("POST", "/filter", "", &question())).await;
    assert!(plain.answer().await.is_none());
    assert!(site.metric("migsaw_extender_certificate_expiry_timestamp_seconds{}").await > 1_700_000_000);
    // Probes and scrapes come without.
    assert_eq!(Connection::to(site.at.health).await.ask("GET", "/healthz", "").await.status, 200);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_authority_of_clients_they_need_its_certificate() {
    let [servers, clients, foreign] = [(); 3].map(|()| Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let files = servers.issue("server", &[]).write(folder.path());
    let tls = Some(with_clients_of(&clients, folder.path(), files));
    let site = Site::start(extender(), Setup { tls, ..Setup::default() }).await;
    assert_eq!(status(&client(servers.trusting()), &site).await, None, "without a certificate");
    for (name, pair, expected) in [
        ("of a foreign authority", foreign.issue("kube-scheduler", &[]), None),
        ("of the server's authority", servers.issue("kube-scheduler", &[]), None),
        ("its own", clients.issue("kube-scheduler", &[]), Some(200)),
        ("its own for anybody", clients.issue("anybody", &["some.where"]), Some(200)),
    ] {
        assert_eq!(status(&servers.trusting_as(&pair), &site).await, expected, "{name}");
    }
    assert_eq!(site.count("filter", "ok").await, 2);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_names_of_clients_the_certificate_has_to_bear_one() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let files = authority.issue("server", &[]).write(folder.path());
    let tls = Some(with_clients_of(&authority, folder.path(), files));
    let client_names = vec!["system:kube-scheduler".to_owned(), "scheduler.example".to_owned()];
    let site = Site::start(extender(), Setup { tls, client_names, debug: true, ..Setup::default() }).await;
    for (name, pair, expected) in [
        ("common name", authority.issue("system:kube-scheduler", &[]), 200),
        ("DNS name", authority.issue("anybody", &["other.example", "scheduler.example"]), 200),
        ("none", authority.issue("anybody", &["other.example"]), 403),
        ("only the beginning", authority.issue("system:kube-scheduler-2", &[]), 403),
        ("other case", authority.issue("System:Kube-Scheduler", &["SCHEDULER.EXAMPLE"]), 403),
        ("empty", authority.issue("", &[]), 403),
    ] {
        let client = authority.trusting_as(&pair);
        assert_eq!(status(&client, &site).await, Some(expected), "{name}");
        // The same for everything there is, and for what there is not.
        for path in ["debug/node/a", "nothing"] {
            let answer = client.get(format!("https://{}/{path}", site.at.verbs)).send().await.unwrap();
            assert_eq!(answer.status() == 403, expected == 403, "{name} {path}");
        }
    }
    assert_eq!((site.count("filter", "ok").await, site.count("filter", "forbidden").await), (2, 4));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_clients_let_nobody_in_over_plain_http() {
    let setup = Setup { client_names: vec!["system:kube-scheduler".to_owned()], ..Setup::default() };
    let site = Site::start(extender(), setup).await;
    assert_eq!(site.filter().await.status, 403);
    site.end().await;
}

#[test]
fn plain_http_is_refused_where_others_could_reach_it() {
    install();
    let open = |address: &str| Config { verbs: address.parse().unwrap(), ..config(&Setup::default()) };
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "10.0.0.1:0"] {
        let refused = Service::bind(open(address)).unwrap_err();
        assert!(matches!(refused, ServiceError::PlainHttp { .. }), "{refused}");
        let sentence = refused.to_string();
        assert!(sentence.starts_with(address) && sentence.contains("plain HTTP"), "{sentence}");
    }
    assert!(Service::bind(open("127.0.0.1:0")).is_ok());
    // Bound, not run: nothing is answered to anybody.
    assert!(Service::bind(Config { insecure_http: true, ..open("0.0.0.0:0") }).is_ok());
}

#[test]
fn certificates_that_cannot_be_used_are_told_before_anything_is_answered() {
    install();
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let pair = || authority.issue("server", &[]);
    let path = |name: &str| folder.path().join(name);
    let check = |name: &str, files: TlsFiles, file: &Path| {
        let refused = Service::bind(Config { tls: Some(files), ..config(&Setup::default()) }).unwrap_err();
        assert!(matches!(refused, ServiceError::Tls(_)), "{name}: {refused}");
        assert!(refused.to_string().contains(file.to_str().unwrap()), "{name}: {refused}");
    };
    let good = pair().write(folder.path());
    check("no file", TlsFiles { key: path("none"), ..good.clone() }, &path("none"));
    check("no folder", TlsFiles { certificate: path("none/tls.crt"), ..good.clone() }, &path("none/tls.crt"));
    std::fs::write(path("empty"), "").unwrap();
    check("an empty certificate", TlsFiles { certificate: path("empty"), ..good.clone() }, &path("empty"));
    check("an empty key", TlsFiles { key: path("empty"), ..good.clone() }, &path("empty"));
    check("an empty authority", TlsFiles { client_ca: Some(path("empty")), ..good.clone() }, &path("empty"));
    check("a key for a certificate", TlsFiles { certificate: good.key.clone(), ..good.clone() }, &good.key);
    let other = Pair { certificate: pair().certificate, key: pair().key }.write(folder.path());
    check("no pair", other.clone(), &other.key);
}
