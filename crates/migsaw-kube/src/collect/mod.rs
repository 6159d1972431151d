//! Less of a dump: what is read of it, and nothing else.
//!
//! A dump has much that is nobody's business: environment variables, commands, images, annotations. [`Collector`]
//! takes the same files as [`read_dump`](crate::dump::read_dump) and keeps the objects and fields that matter there
//! (`shape` lists them), and of labels those that some selector mentions or that tell of GPUs. Of CPU and memory it
//! keeps whether a container asks for any, because that decides which quotas count its pod. Of times it keeps from when
//! to when pods held GPUs or instances, also of pods that have ended or are being deleted: by these they are billed;
//! and the newest of all, up to which that is known.
//! Reading what it writes gives the same problem.
//!
//! Names can be replaced as well ([`Names`]): of namespaces, pods, workloads, claims, budgets and nodes, and the
//! values of labels and taints. The order of the new names is that of the old ones, because planning breaks ties by
//! name: so the plan is the same but for the names. What stays readable is:
//!
//! - the names of priority and device classes, `ConfigMap`s with mig-parted files and their entries, containers'
//!   requests of claims, resources and profiles, and the keys of labels and taints;
//! - values that are numbers, `true` or `false`, and all values under keys of `nvidia.com`, `kubernetes.io/arch`,
//!   `kubernetes.io/os` and `node.kubernetes.io/instance-type`;
//! - what stands behind the last hyphen of any name if it is the hash of its pod template, or a number of eight or
//!   more digits, as the runs of a `CronJob` have;
//! - how names are ordered, and how many there are.

mod names;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::dump::{DumpError, DumpErrors, Source};
use names::Renaming;
use shape::{Leaf, Shape};

/// Whether names stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Names<'a> {
    /// As they are.
    #[default]
    Kept,
    /// Numbered in their order: nothing can be guessed from them.
    Numbered,
    /// Numbered, with the beginning of a keyed hash (HMAC-SHA-256), by which who has the key finds a name again in
    /// another dump.
    Hashed(&'a str),
}

/// Collects what matters of the files of a dump, one after the other.
#[derive(Debug, Default)]
pub struct Collector {
    objects: Vec<Kept>,
    errors: Vec<DumpError>,
    left_out: BTreeMap<String, u64>,
    /// The newest time that a node or pod tells.
    as_of: Option<Timestamp>,
}

/// An object, as far as it matters.
#[derive(Debug)]
struct Kept {
    kind: String,
    shape: Shape,
    value: Value,
}

/// What was collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// A list of objects, as kubectl prints one.
    pub text: String,
    /// How many objects there are, by kind.
    pub kinds: BTreeMap<String, u64>,
    /// How many there were that do not matter, by kind.
    pub left_out: BTreeMap<String, u64>,
    /// The new name of each old one.
    pub names: BTreeMap<String, String>,
}

impl Collected {
    /// The text, packed with gzip: the same bytes for the same text.
    pub fn packed(&self) -> Vec<u8> {
        crate::text::packed(self.text.as_bytes())
    }
}

/// What an object has only after the API server has had it in hands.
const STORED: [&str; 3] = ["uid", "resourceVersion", "creationTimestamp"];
/// Labels that tell of machines.
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
/// Labels that controllers give pods, by which their workload is known.
const OF_WORKLOADS: [&str; 3] =
    ["pod-template-hash", "jobset.sigs.k8s.io/jobset-name", "jobset.sigs.k8s.io/replicatedjob-name"];

impl Collector {
    /// Takes what is in a file. What is wrong with it [`Collector::finish`] says.
    pub fn add(&mut self, source: &Source<'_>) {
        let Source { name, mut bytes, optional } = *source;
        // What is in memory can always be read.
        let _ = self.read(name, &mut bytes, optional);
    }

    /// The same of a file that is read meanwhile, as [`Reader::read`](crate::dump::Reader::read) does.
    ///
    /// # Errors
    /// If it cannot be read to its end.
    pub fn read(&mut self, name: &str, from: &mut dyn io::Read, optional: bool) -> io::Result<()> {
        // One after the other: all of them, whole, would be many times the file.
        match crate::dump::objects(name, from, &mut |object| self.take(object))? {
            Ok(()) => {}
            Err(DumpError::Empty { .. } | DumpError::NoObject { .. }) if optional => {}
            Err(error) => self.errors.push(error),
        }
        Ok(())
    }

    fn take(&mut self, object: Value) {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, version) = (text("kind"), text("apiVersion"));
        // What the API server has had in hands goes by its pods, and a manifest by its replicas.
        let is_stored = STORED.iter().any(|key| object["metadata"].get(key).is_some_and(|value| !value.is_null()));
        if ["Node", "Pod"].contains(&kind.as_str()) {
            self.as_of = self.as_of.max(crate::dump::newest_time(&object));
        }
        let shape = shape::of(&kind, &version);
        let mut pruned = shape.and_then(|shape| Some((shape, shape::pruned(object, &shape)?)));
        if let Some((_, pod)) = pruned.as_mut().filter(|_| kind == "Pod") {
            shape::drop_times(pod);
        }
        match pruned {
            Some((shape, mut value)) if shape::matters(&kind, &value) => {
                if is_stored {
                    value["metadata"]["uid"] = Value::from("stored");
                }
                self.objects.push(Kept { kind, shape, value });
            }
            _ => *self.left_out.entry(kind).or_default() += 1,
        }
    }

    /// What the files have together: the same for the same objects, whatever file they came in.
    ///
    /// # Errors
    /// [`DumpErrors`], for what cannot be read at all, and if there is no object that matters. Odd values are kept as
    /// they are; reading the dump says what is wrong with them.
    pub fn finish(mut self, names: Names<'_>) -> Result<Collected, DumpErrors> {
        if self.errors.is_empty() && self.objects.is_empty() {
            self.errors.push(DumpError::NoObject { file: "dump".to_owned() });
        }
        if !self.errors.is_empty() {
            return Err(DumpErrors(self.errors));
        }
        self.drop_passers();
        self.drop_labels();
        let key = |kept: &Kept| {
            let text =
                |key: &str| kept.value["metadata"].get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            (kept.kind.clone(), text("namespace"), text("name"))
        };
        self.objects.sort_by_cached_key(key);
        self.keep_newest_time();
        let renamed = match names {
            Names::Kept => BTreeMap::new(),
            Names::Numbered => self.rename(None),
            Names::Hashed(key) => self.rename(Some(key)),
        };
        let mut kinds = BTreeMap::new();
        self.objects.iter().for_each(|kept| *kinds.entry(kept.kind.clone()).or_default() += 1);
        // A line for each, so that two of them can be compared.
        let items: Vec<String> = self.objects.iter().map(|kept| kept.value.to_string()).collect();
        let text = format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n{}\n]}}\n", items.join(",\n"));
        Ok(Collected { text, kinds, left_out: self.left_out, names: renamed })
    }

    /// Until when what is held is known: one node says so, as the last that it told.
    fn keep_newest_time(&mut self) {
        let Some(as_of) = self.as_of else { return };
        let Some(node) = self.objects.iter_mut().find(|kept| kept.kind == "Node") else { return };
        // What has the wrong form stays as it is.
        let Some(node) = node.value.as_object_mut() else { return };
        let Some(status) = node.entry("status").or_insert_with(|| json!({})).as_object_mut() else { return };
        let Some(all) = status.entry("conditions").or_insert_with(|| json!([])).as_array_mut() else { return };
        if all.is_empty() {
            all.push(json!({}));
        }
        if let Some(condition) = all[0].as_object_mut() {
            condition.insert("lastHeartbeatTime".to_owned(), json!(as_of.to_string()));
        }
    }

    /// Drops pods without GPUs where no disruption budget could count them, and nodes without.
    fn drop_passers(&mut self) {
        let namespace = |kept: &Kept| kept.value["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        let budgets: BTreeSet<String> =
            self.objects.iter().filter(|kept| kept.kind == "PodDisruptionBudget").map(namespace).collect();
        let publishing: BTreeSet<String> = self
            .objects
            .iter()
            .filter(|kept| kept.kind == "ResourceSlice")
            .filter_map(|kept| Some(kept.value["spec"]["nodeName"].as_str()?.to_owned()))
            .collect();
        let left_out = &mut self.left_out;
        self.objects.retain(|kept| {
            let stays = match kept.kind.as_str() {
                "Pod" => shape::asks(&kept.value["spec"]) || budgets.contains(&namespace(kept)),
                "Node" => {
                    let name = kept.value["metadata"]["name"].as_str();
                    shape::speaks_of_gpus(&kept.value) || name.is_none_or(|name| publishing.contains(name))
                }
                _ => true,
            };
            if !stays {
                *left_out.entry(kept.kind.clone()).or_default() += 1;
            }
            stays
        });
    }

    /// Drops labels that nothing looks at.
    fn drop_labels(&mut self) {
        let mut mentioned: BTreeSet<String> = OF_WORKLOADS.iter().map(|&key| key.to_owned()).collect();
        mentioned.insert(INSTANCE_TYPE.to_owned());
        // By it a node's metrics are found.
        mentioned.insert("kubernetes.io/hostname".to_owned());
        for kept in &mut self.objects {
            let shape = kept.shape;
            shape::visit(&mut kept.value, &shape, &mut |leaf, _| {
                if let Leaf::Condition(key) = leaf {
                    mentioned.insert(key.to_owned());
                }
            });
        }
        for kept in &mut self.objects {
            let shape = kept.shape;
            shape::retain_labels(&mut kept.value, &shape, &|key| {
                key.starts_with("nvidia.com/") || mentioned.contains(key)
            });
        }
    }

    fn rename(&mut self, key: Option<&str>) -> BTreeMap<String, String> {
        let mut found = BTreeSet::new();
        self.each_name(&mut |name, hash| {
            found.insert(names::base(name, hash).to_owned());
        });
        let renaming = Renaming::new(found, key);
        self.each_name(&mut |name, hash| *name = renaming.of(name, hash));
        renaming.into_map()
    }

    /// Goes through all names, with the hash of the template of the object they are in.
    fn each_name(&mut self, each: &mut dyn FnMut(&mut String, Option<&str>)) {
        for kept in &mut self.objects {
            let hash = kept.value["metadata"]["labels"]["pod-template-hash"].as_str().map(str::to_owned);
            let shape = kept.shape;
            shape::visit(&mut kept.value, &shape, &mut |leaf, text| match leaf {
                Leaf::Name => each(text, None),
                Leaf::Made => each(text, hash.as_deref()),
                Leaf::Label(key) | Leaf::Condition(key) if names::is_hidden(key, text) => each(text, None),
                Leaf::Label(_) | Leaf::Condition(_) => {}
            });
        }
    }
}
