//! New certificates while it runs, as Kubernetes puts them into a volume.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use migsaw_extender::service::TlsFiles;
use reqwest::Client;
use reqwest::tls::TlsInfo;

use super::certificates::{Authority, Pair};
use super::{Setup, Site, extender, question, until};

/// A volume of a Secret: the files are links into a folder behind one link, which alone is swapped.
struct Volume(tempfile::TempDir);

impl Volume {
    fn new() -> Volume {
        let volume = Volume(tempfile::tempdir().unwrap());
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), volume.0.path().join(name)).unwrap();
        }
        volume
    }

    fn put(&self, version: u32, pair: &Pair) -> TlsFiles {
        let folder = self.0.path().join(format!("..v{version}"));
        std::fs::create_dir(&folder).unwrap();
        pair.write(&folder);
        let next = self.0.path().join("..next");
        symlink(&folder, &next).unwrap();
        std::fs::rename(next, self.0.path().join("..data")).unwrap();
        let [certificate, key] = ["tls.crt", "tls.key"].map(|name| self.0.path().join(name));
        TlsFiles { certificate, key, client_ca: None }
    }
}

/// The server's certificate that a new connection sees.
async fn seen(authority: &Authority, site: &Site) -> Vec<u8> {
    let client = authority.trusting().build().unwrap();
    let answer = client.post(format!("https://{}/filter", site.at.verbs)).body(question()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap().to_vec()
}

async fn expiry(site: &Site) -> i64 {
    site.metric("migsaw_extender_certificate_expiry_timestamp_seconds{}").await
}

async fn errors(site: &Site) -> i64 {
    site.metric("migsaw_extender_certificate_reload_errors_total").await
}

/// Clients that ask all the time, on connections that they keep and on new ones, until they are told to stop.
struct Stream {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Stream {
    fn start(authority: &Authority, site: &Site) -> Stream {
        let (is_over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let keeping = || authority.trusting().http1_only().build().unwrap();
        let renewing = || authority.trusting().pool_max_idle_per_host(0).build().unwrap();
        let clients: Vec<Client> = vec![keeping(), authority.trusting().build().unwrap(), renewing(), renewing()];
        let url = format!("https://{}/filter", site.at.verbs);
        let ask = |client: Client| {
            let (is_over, answered, url) = (Arc::clone(&is_over), Arc::clone(&answered), url.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::SeqCst) {
                    let answer = client.post(&url).body(question()).send().await.expect("no request fails");
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.expect("no answer is cut off");
                    answered.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            })
        };
        let clients = clients.into_iter().map(ask).collect();
        Stream { is_over, answered, clients }
    }

    async fn end(self) -> usize {
        self.is_over.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.await.unwrap();
        }
        self.answered.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_used_for_new_connections_and_no_request_fails() {
    let (authority, volume) = (Authority::new(), Volume::new());
    let tls = Some(volume.put(0, &authority.issue("first", &[])));
    let site = Site::start(extender(), Setup { tls, ..Setup::default() }).await;
    let stream = Stream::start(&authority, &site);
    let mut before = seen(&authority, &site).await;
    for version in 1..=2 {
        volume.put(version, &authority.issue("next", &[]));
        until("the new certificate is seen", || async { seen(&authority, &site).await != before }).await;
        before = seen(&authority, &site).await;
    }
    assert!(stream.end().await > 0);
    assert_eq!(errors(&site).await, 0);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_pair_leaves_the_one_before_and_is_counted_once() {
    let (authority, volume) = (Authority::new(), Volume::new());
    let tls = Some(volume.put(0, &authority.issue("first", &[])));
    let site = Site::start(extender(), Setup { tls, ..Setup::default() }).await;
    let stream = Stream::start(&authority, &site);
    let (first, expires) = (seen(&authority, &site).await, expiry(&site).await);
    let pair = || authority.issue("next", &[]);
    volume.put(1, &Pair { certificate: pair().certificate, key: pair().key });
    until("the broken pair is counted", || async { errors(&site).await == 1 }).await;
    assert_eq!((seen(&authority, &site).await, expiry(&site).await), (first.clone(), expires));
    volume.put(2, &Pair { certificate: "nothing of the kind".to_owned(), key: String::new() });
    until("the next one too", || async { errors(&site).await == 2 }).await;
    assert_eq!(seen(&authority, &site).await, first);
    volume.put(3, &pair());
    until("the good pair is seen", || async { seen(&authority, &site).await != first }).await;
    assert_eq!(errors(&site).await, 2, "the same broken files are counted once");
    assert!(stream.end().await > 0);
    site.end().await;
}
