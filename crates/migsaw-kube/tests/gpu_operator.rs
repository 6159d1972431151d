//! Plans as the GPU Operator takes them, read back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::fleet::{Fleet, GpuGroup, NodeGroup, NodeNames, Pool, Strategy};
use migsaw::geometry::{Catalog, Counts, Layout, Model};
use migsaw::plan::{GpuTarget, Options, Plan, PlannedNodes, Status};
use migsaw::present::{Present, RecutUnit};
use migsaw::problem::Problem;
use migsaw_kube::dump::{DumpOptions, Source, read_dump};
use migsaw_kube::gpu_operator::{ConfigMap, NodeLabels, plan_config, standard_entries};
use migsaw_kube::mig_parted::{Config, Devices, Entry, validate};

/// A generator of numbers that are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % limit as u64).unwrap()
    }
}

fn model(name: &str) -> Arc<Model> {
    Catalog::builtin().model(name).unwrap()
}

fn pool(name: &str, gpus: &[(&str, u32)], groups: Vec<NodeNames>, strategy: Strategy) -> Pool {
    Pool {
        name: name.to_owned(),
        gpus: gpus.iter().map(|&(name, count)| GpuGroup { model: model(name), count }).collect(),
        nodes: groups.into_iter().map(NodeGroup::idle).collect(),
        labels: BTreeMap::new(),
        taints: Vec::new(),
        strategy,
        cost_per_gpu: None,
    }
}

fn numbered(prefix: &str, count: u32) -> NodeNames {
    NodeNames::Numbered { prefix: prefix.to_owned(), first: 0, count }
}

fn plan(nodes: Vec<PlannedNodes>) -> Plan {
    Plan { status: Status::Optimal, tiers: Vec::new(), nodes, unserved: Vec::new() }
}

/// A plan that cuts the GPUs of each node at random; few different layouts, so that some nodes are alike.
fn random_plan(problem: &Problem, numbers: &mut Numbers, layouts: &BTreeMap<String, Vec<Layout>>) -> Plan {
    let mut nodes = Vec::new();
    for (index, pool) in problem.fleet.pools.iter().enumerate() {
        let mut next = 0;
        while next < pool.node_count() {
            let many = u32::try_from(1 + numbers.below(4)).unwrap().min(pool.node_count() - next);
            let alike = numbers.below(3) == 0;
            let mut chosen: BTreeMap<String, GpuTarget> = BTreeMap::new();
            let mut target = |model: &Arc<Model>, numbers: &mut Numbers| {
                let layouts = &layouts[&model.id];
                let layout = layouts[numbers.below(layouts.len())].clone();
                let off = numbers.below(4) == 0 || layout.is_empty();
                let target = if off { GpuTarget::MigOff } else { GpuTarget::Mig(layout) };
                if alike { chosen.entry(model.id.clone()).or_insert(target).clone() } else { target }
            };
            let gpus = pool.gpu_models().map(|model| target(model, numbers)).collect();
            nodes.push(PlannedNodes {
                pool: index,
                nodes: next..next + many,
                gpus,
                serves: Vec::new(),
                evicts: Vec::new(),
            });
            next += many;
        }
    }
    plan(nodes)
}

/// Reads the manifest back and holds what each GPU of each node becomes against the plan.
fn round_trip(problem: &Problem, plan: &Plan) {
    let catalog = Catalog::builtin();
    let text = ConfigMap::new(plan_config(problem, plan, Some(&catalog))).to_yaml().unwrap();
    let config = Config::read(text.as_bytes()).unwrap();
    let labels = NodeLabels::new(problem, plan);
    let of_node: BTreeMap<&str, &str> = labels
        .nodes
        .iter()
        .flat_map(|(config, nodes)| nodes.iter().map(|node| (node.as_str(), config.as_str())))
        .collect();
    let mut seen = 0;
    for group in &plan.nodes {
        let pool = &problem.fleet.pools[group.pool];
        let models: Vec<Arc<Model>> = pool.gpu_models().cloned().collect();
        for node in group.nodes.clone() {
            seen += 1;
            let label = of_node[pool.node_name(node).as_str()];
            let entry = config.entry(label).unwrap();
            for ((rule, model), target) in entry.on_node(&models).into_iter().zip(&models).zip(&group.gpus) {
                let rule = rule.expect("every GPU is covered");
                let counts = model.resolve_devices(&rule.mig_devices).unwrap().counts;
                let expected = target.counts();
                assert_eq!(rule.mig_enabled, expected.is_some(), "{label} {text}");
                assert_eq!(counts, expected.unwrap_or(Counts::EMPTY), "{label} {text}");
            }
        }
    }
    assert_eq!(of_node.len(), seen);
    for (group, &configuration) in plan.nodes.iter().zip(&plan.configurations(problem).of_nodes) {
        let name = &plan.configurations(problem).distinct[configuration].name;
        let mut models: Vec<Arc<Model>> = problem.fleet.pools[group.pool].gpu_models().cloned().collect();
        models.dedup();
        let alone = Config { entries: vec![config.entry(name).unwrap().clone()] };
        let report = validate(&alone, &catalog, Some(&models));
        assert!(report.is_valid(), "{:?}", report.entries[0].findings);
    }
}

#[test]
fn plans_come_back_as_they_were() {
    let mut numbers = Numbers(7);
    let h100_and_a30 = &[("H100-80GB", 4), ("A30", 2), ("H100-80GB", 2)][..];
    let used = ["H100-80GB", "A30-24GB", "H200-141GB", "A100-40GB", "A100-80GB", "RTX-PRO-6000-96GB"];
    let layouts: BTreeMap<String, Vec<Layout>> =
        used.iter().map(|name| ((*name).to_owned(), model(name).layouts())).collect();
    for round in 0..20 {
        let pools = vec![
            pool("uniform", &[("H200-141GB", 8)], vec![numbered("h200-", 9)], Strategy::Mixed),
            pool("same-names", &[("A100-40GB", 2), ("A100-80GB", 2)], vec![numbered("a100-", 5)], Strategy::Mixed),
            pool(
                "models-apart",
                h100_and_a30,
                vec![NodeNames::Listed(vec!["odd".into(), "even".into()]), numbered("mix-", 6)],
                Strategy::Mixed,
            ),
            pool("twelve-units", &[("RTX-PRO-6000", 4)], vec![numbered("rtx-", 4)], Strategy::Mixed),
        ];
        let problem = Problem { fleet: Fleet { pools }, demands: Vec::new(), ..Problem::default() };
        let plan = random_plan(&problem, &mut numbers, &layouts);
        assert_eq!(plan.nodes.iter().map(|group| group.nodes.len()).sum::<usize>(), 26, "{round}");
        round_trip(&problem, &plan);
    }
}

#[test]
fn a_dump_becomes_a_plan_becomes_a_config_map() {
    let catalog = Catalog::builtin();
    let source = Source { name: "cluster.json", bytes: include_bytes!("data/cluster.json"), optional: false };
    let problem = read_dump(&[source], &catalog, &DumpOptions::default()).unwrap().problem;
    let plan = migsaw::plan::plan(&problem, &Options::default()).unwrap();
    assert_eq!(migsaw::check::check(&problem, &plan), []);
    round_trip(&problem, &plan);
    let served = plan.served(problem.demands.len());
    let unserved: Vec<&str> =
        problem.demands.iter().zip(served).filter(|(d, n)| d.count > *n).map(|(d, _)| d.name.as_str()).collect();
    assert_eq!(unserved, ["typo"], "the profile nobody has");
}

fn two_nodes(gpus: &[(&str, u32)], targets: &[&str]) -> (Problem, Plan) {
    let pools = vec![pool("p", gpus, vec![numbered("n-", 2)], Strategy::Mixed)];
    let models: Vec<Arc<Model>> = pools[0].gpu_models().cloned().collect();
    let target = |(text, model): (&&str, &Arc<Model>)| match *text {
        "off" => GpuTarget::MigOff,
        text => GpuTarget::Mig(Layout::parse(model, text).unwrap()),
    };
    let cut = targets.iter().zip(&models).map(target).collect();
    let off = models.iter().map(|_| GpuTarget::MigOff).collect();
    let nodes = vec![
        PlannedNodes { pool: 0, nodes: 0..1, gpus: cut, serves: Vec::new(), evicts: Vec::new() },
        PlannedNodes { pool: 0, nodes: 1..2, gpus: off, serves: Vec::new(), evicts: Vec::new() },
    ];
    (Problem { fleet: Fleet { pools }, demands: Vec::new(), ..Problem::default() }, plan(nodes))
}

#[test]
fn rules_are_as_short_as_they_can_be() {
    let rules = |gpus: &[(&str, u32)], targets: &[&str]| {
        let (problem, plan) = two_nodes(gpus, targets);
        round_trip(&problem, &plan);
        let config = plan_config(&problem, &plan, None);
        assert_eq!(config.entries.len(), 2);
        assert_eq!(config.entries[0].name, "all-disabled");
        let rule = |entry: &Entry| -> Vec<String> {
            let one = |rule: &migsaw_kube::mig_parted::Rule| {
                let devices = match &rule.devices {
                    Devices::All => "all".to_owned(),
                    Devices::Indices(indices) => format!("{indices:?}"),
                };
                let made: Vec<String> = rule.mig_devices.iter().map(|(name, n)| format!("{n}x{name}")).collect();
                let filter = if rule.device_filter.is_empty() { "" } else { "filtered " };
                format!("{filter}{devices}: {}", if rule.mig_enabled { made.join("+") } else { "off".to_owned() })
            };
            entry.rules.iter().map(one).collect()
        };
        rule(&config.entries[1])
    };
    assert_eq!(rules(&[("H100-80GB", 2)], &["3g.40gb@0,3g.40gb@4", "3g.40gb@4,3g.40gb@0"]), ["all: 2x3g.40gb"]);
    assert_eq!(rules(&[("H100-80GB", 3)], &["7g.80gb@0", "off", "7g.80gb@0"]), ["{0, 2}: 1x7g.80gb", "{1}: off"]);
    assert_eq!(
        rules(&[("A100-40GB", 1), ("A100-80GB", 2)], &["1g.10gb@0", "1g.10gb@0", "1g.10gb@6"]),
        ["filtered all: 1x1g.10gb", "filtered all: 1x1g.10gb"]
    );
    assert_eq!(
        rules(&[("A30", 1), ("H100-80GB", 2)], &["off", "1g.10gb@0", "off"]),
        ["filtered all: off", "filtered {1}: 1x1g.10gb", "filtered {2}: off"]
    );
}

/// A single-strategy node is one profile everywhere, so one rule says it all.
#[test]
fn single_strategy_nodes_take_one_rule() {
    let pools = vec![pool("s", &[("H200-141GB", 4)], vec![numbered("s-", 3)], Strategy::Single)];
    let h200 = model("H200-141GB");
    let full = GpuTarget::Mig(Layout::parse(&h200, "2g.35gb@0,2g.35gb@2,2g.35gb@4").unwrap());
    let nodes =
        vec![PlannedNodes { pool: 0, nodes: 0..3, gpus: vec![full; 4], serves: Vec::new(), evicts: Vec::new() }];
    let problem = Problem { fleet: Fleet { pools }, demands: Vec::new(), ..Problem::default() };
    let plan = plan(nodes);
    round_trip(&problem, &plan);
    let config = plan_config(&problem, &plan, None);
    assert_eq!(config.entries.len(), 1);
    assert_eq!(config.entries[0].rules.len(), 1);
    assert_eq!(config.entries[0].rules[0].devices, Devices::All);
}

#[test]
fn the_manifest_is_what_kubectl_takes() {
    let (problem, plan) = two_nodes(&[("A30", 1)], &["2g.12gb@0,1g.6gb@2"]);
    let mut map = ConfigMap::new(plan_config(&problem, &plan, None));
    let name = plan.configurations(&problem).distinct[1].name.clone();
    assert_eq!(
        map.to_yaml().unwrap(),
        format!(
            "# Configurations for NVIDIA's MIG Manager. Let the ClusterPolicy name it: migManager.config.name=migsaw-mig-config
apiVersion: v1
kind: ConfigMap
metadata:
  name: \"migsaw-mig-config\"
  namespace: \"gpu-operator\"
  labels:
    app.kubernetes.io/managed-by: migsaw
data:
  config.yaml: |
    version: v1
    mig-configs:
      all-disabled:
        - devices: all
          mig-enabled: false
      {name}:
        - devices: all
          mig-enabled: true
          mig-devices:
            \"1g.6gb\": 1
            \"2g.12gb\": 1
"
        )
    );
    let labels = NodeLabels::new(&problem, &plan);
    assert_eq!(
        labels.to_script().lines().skip(3).collect::<Vec<_>>(),
        [
            "kubectl label --overwrite node n-1 nvidia.com/mig.config=all-disabled".to_owned(),
            format!("kubectl label --overwrite node n-0 nvidia.com/mig.config={name}"),
        ]
    );
    let yaml: serde_json::Value = serde_saphyr::from_str(&labels.to_yaml()).unwrap();
    assert_eq!(yaml["items"][0]["metadata"]["name"], "n-1");
    assert_eq!(yaml["items"][1]["metadata"]["labels"]["nvidia.com/mig.config"], name.as_str());
    map.config.entries[0].name = "x".repeat(ConfigMap::MAX_BYTES);
    assert_eq!(map.to_yaml().unwrap_err().most, 1_048_576);
}

#[test]
fn odd_node_names_stay_one_word() {
    let nodes =
        BTreeMap::from([("c".to_owned(), vec!["a b; rm -rf $HOME'".to_owned(), "-x".to_owned(), String::new()])]);
    let labels = NodeLabels { nodes, ..NodeLabels::default() };
    let script = labels.to_script();
    assert!(script.contains(r"node 'a b; rm -rf $HOME'\''' '-x' '' nvidia"), "{script}");
    let yaml: serde_json::Value = serde_saphyr::from_str(&labels.to_yaml()).unwrap();
    assert_eq!(yaml["items"][0]["metadata"]["name"], "a b; rm -rf $HOME'");
}

#[test]
fn nodes_that_are_cut_already_need_no_drain() {
    let (mut problem, plan) = two_nodes(&[("A30", 1)], &["2g.12gb@0,1g.6gb@2"]);
    let a30 = Catalog::builtin().model("A30").unwrap();
    let cut = Layout::parse(&a30, "1g.6gb@0,2g.12gb@2").unwrap();
    let group = |first: u32, gpus| NodeGroup {
        names: NodeNames::Numbered { prefix: "n-".into(), first, count: 1 },
        pinned: Vec::new(),
        present: Some(Present { gpus, ..Present::default() }),
    };
    problem.fleet.pools[0].nodes = vec![group(0, vec![Some(cut.clone())]), group(1, vec![Some(cut)])];
    let labels = NodeLabels::new(&problem, &plan);
    assert_eq!(labels.cut_already, BTreeSet::from(["n-0".to_owned()]));
    let script = labels.to_script();
    let places = ["no drain", "node n-0", "cut anew", "node n-1"].map(|text| script.find(text).unwrap());
    assert!(places.is_sorted(), "{script}");

    // The other one as well: then there is nothing to drain.
    let both = NodeLabels { cut_already: ["n-0", "n-1"].map(str::to_owned).into(), ..labels };
    assert!(!both.cuts_anew() && both.to_script().ends_with("\n# None is cut anew.\n"), "{}", both.to_script());
    assert!(!both.to_script().contains("Drain") && !both.to_yaml().contains("Drain"));

    // Nobody knows which GPU is cut which way: it is not told again.
    let known = problem.fleet.pools[0].nodes[0].present.as_mut().unwrap();
    known.in_any_order = true;
    let labels = NodeLabels::new(&problem, &plan);
    assert_eq!((labels.cut_already.len(), labels.left_alone.len()), (0, 1));
    assert!(labels.to_script().contains("keep their label") && !labels.to_script().contains("node n-0"));
    assert!(!labels.to_yaml().contains("n-0"));

    // A DRA driver makes the instances, and MIG Manager must not.
    problem.fleet.pools[0].nodes[0].present.as_mut().unwrap().unit = RecutUnit::Instance;
    let labels = NodeLabels::new(&problem, &plan);
    assert_eq!(labels.by_driver, BTreeSet::from(["n-0".to_owned()]));
    assert!(labels.to_script().contains("take no label") && !labels.to_script().contains("node n-0"));
    assert!(!labels.to_yaml().contains("n-0"));
}

#[test]
fn many_nodes_are_labelled_together() {
    let nodes = BTreeMap::from([("c".to_owned(), (0..120).map(|i| format!("n{i}")).collect())]);
    let script = NodeLabels { nodes, ..NodeLabels::default() }.to_script();
    assert_eq!(script.lines().filter(|line| line.starts_with("kubectl")).count(), 3);
    assert_eq!(script.matches(" n").count() - script.matches(" nvidia").count() - script.matches(" node").count(), 120);
}

/// The names in the operator's default file (`assets/state-mig-manager/0400_configmap.yaml`).
const DEFAULT_NAMES: &str = "
    all-disabled all-enabled all-balanced
    1g: 5 6 10 12 18 20 23 24 34 35 36 45 47 67 70 5.me 6.me 10.me 12.me 18.me 23.me 24.me 34.me 35.me 24.gfx 24.me.all 24-me
    2g: 10 12 20 24 35 36 45 47 48 67 70 12.me 48.gfx 48.me.all 48-me
    3g: 20 40 47 48 71 72 90 93 95 135 139
    4g: 20 24 40 47 48 71 72 90 93 95 96 96.gfx 135 139
    7g: 40 80 94 96 141 144 180 186 189 269 278";

#[test]
fn standard_entries_have_the_operators_names() {
    let catalog = Catalog::builtin();
    let entries = standard_entries(&catalog);
    let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names.len(), entries.len(), "each once");
    let mut expected = Vec::new();
    for line in DEFAULT_NAMES.lines().filter(|line| !line.trim().is_empty()) {
        match line.split_once(':') {
            None => expected.extend(line.split_whitespace().map(str::to_owned)),
            Some((slices, sizes)) => expected.extend(sizes.split_whitespace().map(|size| {
                let at = size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len());
                format!("all-{}.{}gb{}", slices.trim(), &size[..at], &size[at..])
            })),
        }
    }
    assert_eq!(expected.len(), 81);
    let missing: Vec<&String> = expected.iter().filter(|name| !names.contains(name.as_str())).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn standard_entries_fill_every_model() {
    let catalog = Catalog::builtin();
    let config = Config { entries: standard_entries(&catalog) };
    let report = validate(&config, &catalog, None);
    let errors: Vec<String> =
        report.entries.iter().flat_map(|entry| &entry.findings).map(ToString::to_string).collect();
    assert_eq!(errors, [""; 0]);
    for (name, entry, count) in [
        ("A100-40GB", "all-1g.10gb", 4),
        ("H100-80GB", "all-1g.10gb", 7),
        ("H200-141GB", "all-1g.35gb", 4),
        ("GB300-278GB", "all-1g.35gb", 7),
        ("RTX-PRO-6000", "all-1g.24gb.me.all", 1),
    ] {
        let rules = config.entry(entry).unwrap().on_node(&[model(name)]);
        let devices = &rules[0].unwrap().mig_devices;
        assert_eq!(devices.values().copied().collect::<Vec<_>>(), [count], "{entry} on {name}");
    }
    for model in catalog.models() {
        let rule = config.entry("all-balanced").unwrap().on_node(&[Arc::clone(model)])[0].expect("every model");
        let total: u32 = rule.mig_devices.values().sum();
        assert_eq!(total, if model.family == "seven-compute-eight-memory" { 4 } else { 3 }, "{}", model.id);
    }
    let read = Config::read(config.to_string().as_bytes()).unwrap();
    assert_eq!(read, config);
}
