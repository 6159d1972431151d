//! A new certificate every second, as Kubernetes puts it into a volume.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};

use super::site::{Pace, Scheduler, Serving, Site};
use super::{Common, Found};
use crate::extender::connection::Wire;
use crate::extender::requests::pending;
use crate::figures::Times;

/// How soon a new certificate has to be in use.
const IN_USE: Duration = Duration::from_secs(15);

/// What it takes.
#[derive(Debug, Clone, Args)]
pub struct Rotate {
    #[command(flatten)]
    common: Common,
    /// For how long
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Pods asked about in a second, by each of four callers
    #[arg(long, default_value_t = 50)]
    rate: u32,
}

/// What a caller saw.
#[derive(Default)]
struct Saw {
    took: Vec<Duration>,
    failed: usize,
    /// Certificates on new connections, and when.
    certificates: Vec<(Instant, Vec<u8>)>,
}

impl Rotate {
    pub(super) fn run(&self, found: &mut Found) -> io::Result<()> {
        let site = Site::start(&self.common)?;
        let volume = Volume::new(site.folder())?;
        let mut put = vec![(Instant::now(), volume.put(0)?)];
        let path = |name: &str| volume.folder.join(name).to_string_lossy().into_owned();
        let serving = site.serve(&["--tls-cert", &path("tls.crt"), "--tls-key", &path("tls.key")])?;
        let (is_over, ca) = (AtomicBool::new(false), volume.folder.join("ca.crt"));
        // Two that keep their connection, and two that come anew each time.
        let callers = [(Wire::Https, true), (Wire::Http2, true), (Wire::Https, false), (Wire::Http2, false)];
        let all = Mutex::new(Saw::default());
        std::thread::scope(|scope| {
            for (wire, keeps) in callers {
                let (all, is_over, serving, site, ca) = (&all, &is_over, &serving, &site, &ca);
                scope.spawn(move || {
                    let saw = self.call((wire, keeps), (serving, site), ca, is_over);
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.took.extend(saw.took);
                    all.failed += saw.failed;
                    all.certificates.extend(saw.certificates);
                });
            }
            let turned = self.turn(&volume, &mut put);
            // The last one has to be seen as well.
            std::thread::sleep(IN_USE);
            is_over.store(true, Ordering::Relaxed);
            turned
        })?;
        let saw = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        let took: Times = saw.took.into_iter().collect();
        found.shows(&format!("filter + prioritize, {} names, four callers over TLS", self.common.nodes), &took);
        found.shows("pods asked about", took.len());
        found.none("requests that failed", saw.failed);
        let number = |seen: &[u8]| put.iter().position(|(_, known)| known == seen);
        let seen: Vec<(Instant, usize)> =
            saw.certificates.iter().filter_map(|(at, seen)| Some((*at, number(seen)?))).collect();
        found.none("certificates seen that nobody put there", saw.certificates.len() - seen.len());
        let late = put.iter().enumerate().map(|(n, (at, _))| {
            let first = seen.iter().filter(|(_, number)| *number >= n).map(|(seen, _)| *seen).min();
            first.map_or(Duration::MAX, |first| first.saturating_duration_since(*at))
        });
        let latest = late.max().unwrap_or_default();
        let distinct: std::collections::BTreeSet<usize> = seen.iter().map(|(_, number)| *number).collect();
        found
            .shows("certificates put there, and seen on new connections", format!("{}, {}", put.len(), distinct.len()));
        found.must(
            "longest until one that new, or a newer one, was in use",
            format!("{:.1} s", latest.as_secs_f64()),
            "≤ 15 s",
            latest <= IN_USE,
        );
        let errors = serving.count("migsaw_extender_certificate_reload_errors_total")?;
        found.must("pairs that could not be loaded", errors, "0", errors == 0);
        Ok(())
    }

    /// Puts another one there every second.
    fn turn(&self, volume: &Volume, put: &mut Vec<(Instant, Vec<u8>)>) -> io::Result<()> {
        let mut pace = Pace::of(1);
        for version in 1..=self.seconds {
            pace.wait();
            let certificate = volume.put(version)?;
            put.push((Instant::now(), certificate));
        }
        Ok(())
    }

    fn call(
        &self,
        (wire, keeps): (Wire, bool),
        (serving, site): (&Serving, &Site),
        ca: &Path,
        is_over: &AtomicBool,
    ) -> Saw {
        let mut scheduler = Scheduler::new(wire, serving.verbs, ca);
        let (mut pace, mut saw) = (Pace::of(self.rate), Saw::default());
        let mut number = 0;
        while !is_over.load(Ordering::Relaxed) {
            pace.wait();
            number += 1;
            match scheduler.decide(&pending(number % 64), &site.names) {
                Ok((_, took)) => saw.took.push(took),
                Err(error) => {
                    saw.failed += 1;
                    eprintln!("{wire:?}: {error}");
                }
            }
            if !keeps {
                saw.certificates.extend(scheduler.certificate().map(|certificate| (Instant::now(), certificate)));
                scheduler.hang_up();
            }
        }
        saw
    }
}

/// A volume of a Secret: the files are links into a folder behind one link, which alone is swapped.
struct Volume {
    folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Volume {
    fn new(folder: &Path) -> io::Result<Volume> {
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let authority = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        let folder = folder.join("tls");
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("ca.crt"), authority.pem())?;
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), folder.join(name))?;
        }
        Ok(Volume { folder, authority })
    }

    /// Puts a new certificate there, and gives it back as DER.
    fn put(&self, version: u64) -> io::Result<Vec<u8>> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let params = CertificateParams::new(vec!["localhost".to_owned()]).map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.authority).map_err(io::Error::other)?;
        let into = self.folder.join(format!("..v{version}"));
        std::fs::create_dir(&into)?;
        std::fs::write(into.join("tls.crt"), certificate.pem())?;
        std::fs::write(into.join("tls.key"), key.serialize_pem())?;
        let next = self.folder.join("..next");
        symlink(&into, &next)?;
        std::fs::rename(next, self.folder.join("..data"))?;
        Ok(certificate.der().to_vec())
    }
}
