//! The pages of plans, rollouts and answers: complete, harmless, well-formed, small enough, the same each time.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use migsaw::advice::advise;
use migsaw::buy::{Order, buy};
use migsaw::capacity::{Query, capacity};
use migsaw::chargeback::{
    By, GpuRecord, Held, Holder, Holding, Ledger, Prices, Slice, Span, Terms, right_size, statement,
};
use migsaw::document::advice::AdviceDocument;
use migsaw::document::buy::BuyDocument;
use migsaw::document::capacity::CapacityDocument;
use migsaw::document::chargeback::ChargebackDocument;
use migsaw::document::plan::PlanDocument;
use migsaw::document::quota::QuotasDocument;
use migsaw::document::right_size::RightSizeDocument;
use migsaw::document::robust::RobustDocument;
use migsaw::document::rollout::RolloutDocument;
use migsaw::document::scenario;
use migsaw::document::whatif::WhatIfDocument;
use migsaw::fleet::NodeNames;
use migsaw::geometry::Catalog;
use migsaw::plan::{GpuTarget, Options, Plan, plan};
use migsaw::problem::Problem;
use migsaw::quota::quotas;
use migsaw::robust::{Aim, robust};
use migsaw::rollout::{Limits, Rollout, Times};
use migsaw::whatif::{BasisPoints, Change, what_if};
use migsaw_report::plan::Beside;
use migsaw_report::{
    Origin, advice as report_advice, buy as report_buy, capacity as report_capacity, chargeback as report_chargeback,
    plan as report, quota as report_quota, right_size as report_right_size, robust as report_robust, rollout, whatif,
};
use roxmltree::{Document, Node};

fn example(name: &str) -> Problem {
    let path = format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"));
    parsed(&std::fs::read_to_string(path).unwrap())
}

fn parsed(text: &str) -> Problem {
    scenario::parse(text, &Catalog::builtin()).map_err(|found| format!("{found:?}")).unwrap()
}

fn planned(name: &str) -> (Problem, Plan) {
    let problem = example(name);
    let plan = plan(&problem, &Options::default()).unwrap();
    (problem, plan)
}

fn origin() -> Origin {
    Origin { version: "1.2.3".to_owned(), command_line: "migsaw plan x".to_owned(), ..Origin::default() }
}

fn rollout_of(problem: &Problem, plan: &Plan) -> RolloutDocument {
    RolloutDocument::new(problem, plan, &Rollout::new(problem, plan, Limits::default()), Times::default())
}

fn page_of(problem: &Problem, plan: &Plan) -> String {
    let rollout = problem.is_running_known().then(|| rollout_of(problem, plan));
    let next = ["migsaw plan x --out plan".to_owned()];
    report::html(problem, plan, &Beside { rollout: rollout.as_ref(), next: &next, origin: origin() })
}

/// The part of a page that is XML.
fn body(page: &str) -> Document<'_> {
    let end = page.find("</body>").unwrap() + "</body>".len();
    Document::parse(&page[page.find("<body>").unwrap()..end]).unwrap()
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|node| if node.is_text() { node.text() } else { None }).collect()
}

fn find<'a, 'b>(node: Node<'a, 'b>, tag: &str) -> Vec<Node<'a, 'b>> {
    node.descendants().filter(|node| node.tag_name().name() == tag).collect()
}

fn with_id<'a>(xml: &'a Document<'_>, id: &str) -> Node<'a, 'a> {
    xml.descendants().find(|node| node.attribute("id") == Some(id)).unwrap_or_else(|| panic!("#{id}"))
}

/// The cells of each row of a table's body.
fn rows(table: Node<'_, '_>) -> Vec<Vec<String>> {
    let body = find(table, "tbody")[0];
    let cells = |row: Node<'_, '_>| row.children().filter(Node::is_element).map(text).collect();
    find(body, "tr").into_iter().map(cells).collect()
}

fn number(text: &str) -> u64 {
    text.replace(',', "").parse().unwrap()
}

/// The document that is within a page.
fn data(page: &str) -> &str {
    let begin = page.find("type=\"application/json\">").unwrap() + "type=\"application/json\">".len();
    &page[begin..begin + page[begin..].find("</script>").unwrap()]
}

/// `chat: 1g.10gb@0,1 2g.20gb@4 · spare: …` as instances, units free and stranded left out.
fn instances(words: &str) -> BTreeMap<(String, String), u64> {
    let mut found = BTreeMap::new();
    for part in words.split(" · ") {
        let Some((whom, what)) = part.split_once(": ") else { continue };
        for item in what.split(' ') {
            let Some((profile, starts)) = item.split_once('@') else { continue };
            *found.entry((whom.to_owned(), profile.to_owned())).or_insert(0) += starts.split(',').count() as u64;
        }
    }
    found
}

static PAGES: LazyLock<Vec<(&str, String)>> = LazyLock::new(pages);

fn pages() -> Vec<(&'static str, String)> {
    let mut pages: Vec<(&str, String)> = ["running.yaml", "mixed-fleet.yaml", "inference.yaml"]
        .into_iter()
        .map(|name| {
            let (problem, plan) = planned(name);
            (name, page_of(&problem, &plan))
        })
        .collect();
    let (running, plan) = planned("running.yaml");
    pages.push(("rollout", rollout::html(&rollout_of(&running, &plan), &origin())));
    pages.push(("capacity", report_capacity::html(&capacity_of(&running), &origin())));
    pages.push(("whatif", whatif::html(&what_if_of(&running), &origin())));
    pages.push(("buy", report_buy::html(&buy_of(&running), &origin())));
    let robust = robust(&example("mixes.yaml"), Aim::Average, &Options::default()).unwrap();
    pages.push(("robust", report_robust::html(&RobustDocument::new(&robust), &origin())));
    let tenants = example("tenants.yaml");
    let found = quotas(&tenants, &Options::default()).unwrap();
    pages.push(("quota", report_quota::html(&QuotasDocument::new(&tenants, &found, BasisPoints(0), &[]), &origin())));
    let advice = AdviceDocument::new(&tenants, &advise(&tenants, &Options::default()).unwrap());
    pages.push(("advise", report_advice::html(&advice, &origin())));
    pages.push(("chargeback", report_chargeback::html(&chargeback_of(&ledger()), &origin())));
    let found = right_size(&ledger(), &terms(), BasisPoints(0)).unwrap();
    let found = RightSizeDocument::new(&found, ledger().period, &terms());
    pages.push(("right-size", report_right_size::html(&found, &origin())));
    pages
}

/// An hour in which one who is called like markup holds half a GPU, and nobody the other instance there is.
fn ledger() -> Ledger {
    let hour = Span::new(0, 3600);
    let holder = Holder { namespace: "<b>shop".into(), pod: "web-0".into(), label: None };
    let holding = |profile: &str, held| Holding { slice: Slice::Profile(profile.parse().unwrap()), span: hour, held };
    let gpu = GpuRecord {
        name: "n1 GPU 0".into(),
        model: Catalog::builtin().model("H100-80GB").ok(),
        seen: vec![hour],
        known: vec![hour],
        holdings: vec![holding("3g.40gb", Held::By([holder].into())), holding("2g.20gb", Held::Nobody)],
        ..GpuRecord::default()
    };
    Ledger { period: hour, gpus: vec![gpu], uses: Vec::new() }
}

fn terms() -> Terms {
    let prices = Prices { gpu_hour: [("H100-80GB".to_owned(), "4".parse().unwrap())].into(), ..Prices::default() };
    Terms { prices, by: By::Namespace }
}

fn chargeback_of(ledger: &Ledger) -> ChargebackDocument {
    ChargebackDocument::new(&statement(ledger, &terms()).unwrap(), &terms(), None)
}

#[test]
fn shares_of_a_statement_are_those_of_the_ledger() {
    let page = report_chargeback::html(&chargeback_of(&ledger()), &origin());
    let xml = body(&page);
    let who = rows(find(with_id(&xml, "who"), "table")[0]);
    // Four of eight units for an hour at 4, two idle, two stranded.
    let of = |name: &str| who.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name}: {who:?}")).clone();
    assert_eq!(of("<b>shop")[2..6], ["1.00", "0.50", "50%", "2.00"]);
    assert_eq!(of("(idle)")[2..6], ["1.00", "0.25", "25%", "1.00"]);
    assert_eq!(of("(stranded)")[3..6], ["0.25", "25%", "1.00"]);
}

fn capacity_of(problem: &Problem) -> CapacityDocument {
    let query = Query { max_evictions: Some(2), ..Query::default() };
    CapacityDocument::new(problem, &capacity(problem, &query, &Options::default()).unwrap())
}

fn what_if_of(problem: &Problem) -> WhatIfDocument {
    let changes = [Change::RemoveNode { node: "gpu-3".to_owned() }];
    WhatIfDocument::new(&changes, &what_if(problem, &changes, &Options::default()).unwrap())
}

fn buy_of(problem: &Problem) -> BuyDocument {
    let candidates = ["H100-80GB", "H200-141GB"].map(|name| migsaw::buy::Candidate {
        model: Catalog::builtin().model(name).unwrap(),
        gpus_per_node: Some(4),
        price: Some("1000.5".parse().unwrap()),
    });
    let order = Order { candidates: candidates.to_vec(), from_scratch: true, ..Order::default() };
    BuyDocument::new(problem, &order, &buy(problem, &order, &Options::default()).unwrap())
}

#[test]
fn every_page_is_complete_well_formed_and_loads_nothing() {
    for (name, page) in PAGES.iter() {
        let xml = body(page);
        assert_eq!(find(xml.root(), "h1").len(), 1, "{name}");
        for id in ["filter", "theme", "found", "content", "document"] {
            with_id(&xml, id);
        }
        let mut ids: Vec<&str> = xml.descendants().filter_map(|node| node.attribute("id")).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}: an id is there twice");
        for link in xml.descendants().filter_map(|node| node.attribute("href")) {
            let target = link.strip_prefix('#').unwrap_or_else(|| panic!("{name} leads to {link}"));
            assert!(ids.contains(&target), "{name}: nothing is at {link}");
        }
        // Headings step down one at a time.
        let levels = xml.descendants().filter_map(|node| node.tag_name().name().strip_prefix('h')?.parse::<u32>().ok());
        levels.fold(0, |before, level| {
            assert!(level <= before + 1, "{name}: h{level} behind h{before}");
            level
        });
        for table in find(xml.root(), "table") {
            assert!(!text(find(table, "caption")[0]).is_empty());
            let width = find(find(table, "thead")[0], "th").len();
            for row in find(table, "tr") {
                let cells = row.children().filter(Node::is_element);
                assert_eq!(cells.count(), width, "{name}: {}", text(row));
            }
        }
        let drawn = find(xml.root(), "svg").into_iter().filter(|svg| svg.attribute("role") == Some("img"));
        for svg in drawn {
            assert!(!text(find(svg, "title")[0]).is_empty() && !text(find(svg, "desc")[0]).is_empty(), "{name}");
        }
        let own = page.replace("url(#", "").replace("href=\"#", "");
        for reference in ["http:", "https:", "url(", "@import", "src=", "<link", "href="] {
            assert!(!own.contains(reference), "{name}: {reference}");
        }
        assert!(xml.descendants().flat_map(|node| node.attributes()).all(|a| !a.name().starts_with("on")), "{name}");
        assert!(page.contains("default-src 'none'") && page.contains("script-src 'sha256-"), "{name}");
        assert!(page.contains("version 1.2.3") && page.contains("migsaw plan x"), "{name}");
    }
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    assert!(*PAGES == pages());
    let (problem, plan) = planned("mixed-fleet.yaml");
    assert_eq!(report::svg(&problem, &plan), report::svg(&problem, &plan));
}

#[test]
fn the_document_is_within() {
    let (problem, plan) = planned("mixed-fleet.yaml");
    let page = page_of(&problem, &plan);
    let read: PlanDocument = serde_json::from_str(data(&page)).unwrap();
    assert_eq!(read, PlanDocument::new(&problem, &plan));
    let of_running = example("running.yaml");
    let capacity = capacity_of(&of_running);
    let page = report_capacity::html(&capacity, &origin());
    assert_eq!(serde_json::from_str::<CapacityDocument>(data(&page)).unwrap(), capacity);
    let what_if = what_if_of(&of_running);
    let page = whatif::html(&what_if, &origin());
    assert_eq!(serde_json::from_str::<WhatIfDocument>(data(&page)).unwrap(), what_if);
    let bought = buy_of(&of_running);
    let page = report_buy::html(&bought, &origin());
    assert_eq!(serde_json::from_str::<BuyDocument>(data(&page)).unwrap(), bought);
}

#[test]
fn what_is_served_is_what_the_document_says() {
    for name in ["running.yaml", "mixed-fleet.yaml", "inference.yaml"] {
        let (problem, plan) = planned(name);
        let page = page_of(&problem, &plan);
        let xml = body(&page);
        let document: PlanDocument = serde_json::from_str(data(&page)).unwrap();
        let served = document.served.iter().map(|served| {
            let name = served.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
            (format!("{name}{}", served.demand), (served.requested.unwrap(), served.count))
        });
        let shown = rows(find(with_id(&xml, "demand"), "table")[0]).into_iter().map(|cells| {
            let demand = cells[0].trim_end_matches(" short").to_owned();
            let (asked, served) = (number(&cells[3]), number(&cells[4]));
            assert_eq!(cells[5].replace('–', "0"), (asked - served).to_string());
            (demand, (asked, served))
        });
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), served.collect::<BTreeMap<_, _>>(), "{name}");
        assert_eq!(
            xml.descendants().any(|node| node.attribute("id") == Some("unserved")),
            !document.unserved.is_empty()
        );
        for unserved in &document.unserved {
            let said = text(with_id(&xml, "unserved"));
            assert!(said.contains(&unserved.reason) && said.contains(unserved.remedy.as_deref().unwrap_or("")));
        }
    }
}

/// Every instance of every node is drawn and named once, for the demand that the plan gives it.
#[test]
fn slices_on_the_page_are_the_slices_of_the_plan() {
    for name in ["running.yaml", "mixed-fleet.yaml", "inference.yaml"] {
        let (problem, plan) = planned(name);
        let page = page_of(&problem, &plan);
        let xml = body(&page);
        let mut served: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut cut: BTreeMap<String, u64> = BTreeMap::new();
        for group in &plan.nodes {
            let nodes = u64::from(group.node_count());
            let models: Vec<_> = problem.fleet.pools[group.pool].gpu_models().collect();
            for serving in &group.serves {
                for share in serving.shares.iter().filter(|share| share.profile.is_some()) {
                    let profile = models[usize::from(share.gpu)].get(share.profile.unwrap()).name.to_string();
                    let demand = problem.demands[serving.demand].full_name();
                    *served.entry((demand, profile)).or_default() += u64::from(share.instances) * nodes;
                }
            }
            for (gpu, target) in group.gpus.iter().enumerate() {
                if let GpuTarget::Mig(layout) | GpuTarget::Left(layout) = target {
                    for placement in layout.placements() {
                        *cut.entry(models[gpu].get(placement.profile).name.to_string()).or_default() += nodes;
                    }
                }
            }
        }
        // Once in the kinds of each pool, with their number, and once at the nodes.
        let mut kinds: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut at_nodes: BTreeMap<(String, String), u64> = BTreeMap::new();
        let pools = xml.descendants().filter(|node| node.attribute("class") == Some("pool"));
        let mut all_gpus = 0;
        for pool in pools {
            for cells in rows(find(pool, "table")[0]) {
                all_gpus += number(&cells[1]);
                for (key, n) in instances(&cells[0]) {
                    *kinds.entry(key).or_default() += n * number(&cells[1]);
                }
            }
            for nodes in pool.children().filter(|node| node.has_tag_name("details")) {
                let said = text(find(nodes, "summary")[0]);
                let count = said.split_once(" node").map_or(1, |(before, _)| {
                    let digits = before.rfind(|c: char| !c.is_ascii_digit()).map_or(before, |at| &before[at + 1..]);
                    number(digits)
                });
                for cells in rows(find(nodes, "table")[0]) {
                    let gpus = cells[0].trim_start_matches("GPU ");
                    let (first, last) = gpus.split_once('–').unwrap_or((gpus, gpus));
                    let gpus = (number(last) - number(first) + 1) * count;
                    for (key, n) in instances(&cells[2]) {
                        *at_nodes.entry(key).or_default() += n * gpus;
                    }
                }
            }
        }
        assert_eq!(all_gpus, problem.fleet.pools.iter().map(migsaw::fleet::Pool::gpu_count).sum::<u64>());
        assert_eq!(kinds, at_nodes, "{name}");
        let mut of_profile: BTreeMap<String, u64> = BTreeMap::new();
        for ((_, profile), n) in &kinds {
            *of_profile.entry(profile.clone()).or_default() += n;
        }
        assert_eq!(of_profile, cut, "{name}");
        let nobody = ["spare", "pinned", "left as it is"];
        kinds.retain(|(whom, _), _| !nobody.contains(&whom.as_str()));
        assert_eq!(kinds, served, "{name}");
    }
}

#[test]
fn pictures_show_every_slice_once() {
    let (problem, plan) = planned("mixed-fleet.yaml");
    let page = page_of(&problem, &plan);
    let xml = body(&page);
    let symbols: Vec<_> = find(xml.root(), "symbol");
    assert!(!symbols.is_empty());
    let uses = find(xml.root(), "use").len();
    assert!(uses > symbols.len(), "{uses} pictures of {} boards", symbols.len());
    for symbol in symbols {
        // Pieces lie side by side from one end of the board to the other.
        let mut ends = 1.0;
        for piece in find(symbol, "rect").into_iter().filter(|rect| rect.attribute("class") != Some("board")) {
            if piece.attribute("class") == Some("change") {
                continue;
            }
            let value = |name: &str| piece.attribute(name).unwrap().parse::<f64>().unwrap();
            assert!((value("x") - 1.5 - ends).abs() < 0.11, "{} begins at {}", text(symbol), value("x"));
            ends = value("x") + value("width") + 1.5;
        }
        assert!((ends - 303.0).abs() < 0.11, "{} ends at {ends}", text(symbol));
    }
}

#[test]
fn the_fleet_stands_alone_as_a_picture() {
    let (problem, plan) = planned("mixed-fleet.yaml");
    let svg = report::svg(&problem, &plan);
    let xml = Document::parse(&svg).unwrap();
    assert_eq!(xml.root_element().tag_name().namespace(), Some("http://www.w3.org/2000/svg"));
    assert_eq!(svg.matches("http").count(), 1);
    let said = text(xml.root());
    for pool in &problem.fleet.pools {
        assert!(said.contains(&pool.name), "{}", pool.name);
    }
    assert!(said.contains(&report::answer(&problem, &plan)));
}

#[test]
fn changes_are_shown_before_and_after() {
    let (problem, plan) = planned("running.yaml");
    let page = page_of(&problem, &plan);
    let xml = body(&page);
    let changes: Vec<_> = plan.changes(&problem).into_iter().filter(|change| !change.is_none()).collect();
    let listed = rows(find(with_id(&xml, "changes"), "table")[0]);
    assert_eq!(listed.len(), changes.len(), "no two nodes of the example change alike");
    for (cells, change) in listed.iter().zip(&changes) {
        assert_eq!(cells[0], problem.fleet.pools[change.pool].node_name(change.nodes.start));
        assert_eq!(number(&cells[2]), change.gpus.len() as u64);
        for (cell, units) in [(&cells[3], &change.evicts), (&cells[4], &change.takes)] {
            let each = units.iter().map(|(demand, n)| format!("{} {n}", problem.demands[*demand].full_name()));
            assert_eq!(cell.trim_end_matches('–'), each.collect::<Vec<_>>().join(", "));
        }
    }
    let recut: usize = changes.iter().map(|change| change.gpus.len()).sum();
    let drawn = find(with_id(&xml, "changes"), "article");
    let gpus = drawn.iter().flat_map(|article| find(*article, "table")).flat_map(rows).count();
    assert!(recut > 0 && gpus == recut);
    let rollout = rollout_of(&problem, &plan);
    let steps: usize = rollout.waves.iter().map(|wave| wave.steps.len()).sum();
    assert_eq!(rows(find(with_id(&xml, "rollout"), "table")[0]).len(), steps);
    let page = migsaw_report::rollout::html(&rollout, &origin());
    let xml = body(&page);
    assert_eq!(text(find(xml.root(), "h1")[0]), migsaw_report::rollout::answer(&rollout));
}

#[test]
fn figures_of_answers_are_those_of_their_documents() {
    let running = example("running.yaml");
    let capacity = capacity_of(&running);
    let page = report_capacity::html(&capacity, &origin());
    let xml = body(&page);
    let shown = rows(find(with_id(&xml, "profiles"), "table")[0]);
    assert_eq!(shown.len(), capacity.profiles.len());
    for (cells, profile) in shown.iter().zip(&capacity.profiles) {
        assert_eq!(cells[0], profile.profile.as_deref().unwrap_or("whole GPU"));
        let fits = profile.fits.iter().zip(&cells[1..]);
        for (fit, cell) in fits {
            assert!(fit.least != fit.most || number(cell.split(' ').next().unwrap()) == fit.least, "{cell}");
        }
        assert_eq!(number(cells.last().unwrap()), profile.empty);
    }
    let bought = buy_of(&running);
    let page = report_buy::html(&bought, &origin());
    let xml = body(&page);
    for (cells, offer) in rows(find(with_id(&xml, "models"), "table")[0]).iter().zip(&bought.offers) {
        assert!(cells[0].starts_with(&offer.model));
        assert_eq!(cells[5], offer.cost.as_ref().map_or("", |cost| cost.as_str()));
    }
    let what_if = what_if_of(&running);
    let page = whatif::html(&what_if, &origin());
    let xml = body(&page);
    let shown = rows(find(with_id(&xml, "comparison"), "table")[0]);
    let asked = |side: &migsaw::document::whatif::SideForm| format!("{} of {} ", side.served, side.asked);
    assert!(shown[0][1].starts_with(&asked(&what_if.before)) && shown[0][2].starts_with(&asked(&what_if.after)));
}

#[test]
fn names_of_others_do_no_harm() {
    let evil = "</script><script>alert(1)</script>\" onload=\"x\u{202e}&amp;'";
    let mut problem = example("running.yaml");
    let pool = &mut problem.fleet.pools[0];
    pool.name.push_str(evil);
    pool.labels.insert(evil.to_owned(), evil.to_owned());
    for (at, nodes) in pool.nodes.iter_mut().enumerate() {
        let names = (0..nodes.names.count()).map(|node| format!("{evil}{at}-{node}"));
        nodes.names = NodeNames::Listed(names.collect());
        for unit in nodes.present.iter_mut().flat_map(|present| &mut present.running) {
            unit.name = Some(evil.to_owned());
        }
    }
    for demand in &mut problem.demands {
        demand.name.push_str(evil);
        demand.namespace = Some(evil.to_owned());
    }
    let plan = plan(&problem, &Options::default()).unwrap();
    let page = page_of(&problem, &plan);
    assert_eq!(page.matches("<script").count(), 2, "the document and our own, and nothing else");
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.split("<script id=").next().unwrap().contains('\u{202e}'));
    let xml = body(&page);
    assert!(text(with_id(&xml, "pools")).contains("<script>alert(1)</script>"));
    assert!(xml.descendants().flat_map(|node| node.attributes()).all(|attribute| !attribute.name().starts_with("on")));
    let read: PlanDocument = serde_json::from_str(data(&page)).unwrap();
    assert_eq!(read, PlanDocument::new(&problem, &plan));
    let svg = report::svg(&problem, &plan);
    assert!(find(Document::parse(&svg).unwrap().root(), "script").is_empty());
}

/// A fleet of 5,000 nodes, no two of which look alike: the worst there can be.
#[test]
fn large_fleets_have_small_pages() {
    let small = parsed(
        "apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet: [{pool: p, model: H100-80GB, nodes: 5000, gpusPerNode: 8}]
demand: [{name: chat, namespace: team, profile: 1g.10gb, count: 5000}]
",
    );
    let model = Catalog::builtin().model("H100-80GB").unwrap();
    let layouts = model.maximal_layouts().into_iter().take(10).collect::<Vec<_>>();
    let node = |number: u32| {
        let gpus = (0..8).map(|gpu| {
            let digit = number / 10_u32.pow(gpu.min(3)) % 10;
            GpuTarget::Mig(layouts[digit as usize].clone())
        });
        migsaw::plan::PlannedNodes {
            pool: 0,
            nodes: number..number + 1,
            gpus: gpus.collect(),
            serves: Vec::new(),
            evicts: Vec::new(),
        }
    };
    let plan = Plan {
        status: migsaw::plan::Status::Feasible,
        tiers: Vec::new(),
        nodes: (0..5000).map(node).collect(),
        unserved: Vec::new(),
    };
    let page = page_of(&small, &plan);
    assert!(page.len() < 20_000_000, "{} bytes", page.len());
    assert!(page.matches("<symbol").count() <= 2 * layouts.len());
    // Every node in words, and what pictures are drawn of when it is opened.
    assert_eq!(page.matches("<details class=\"nodes\"").count(), 5000);
    assert_eq!(page.matches("<symbol id=\"g0\"").count(), 1);
    assert_eq!(page.matches("data-boards=\"g").count(), 5000);
    // A browser takes about as long as there are elements.
    let elements = body(&page).descendants().filter(Node::is_element).count();
    assert!(elements < 17 * 5000, "{elements} elements");
    assert!(page.contains("id=\"document\"") || page.contains("would make this file too large"));
    let svg = report::svg(&small, &plan);
    assert!(svg.len() < 200_000, "{} bytes", svg.len());
    // Alike nodes stand together, wherever they are.
    let first = plan.nodes[0].clone();
    let mut alike = plan.nodes.clone();
    for group in &mut alike {
        group.gpus.clone_from(&first.gpus);
    }
    let page = page_of(&small, &Plan { nodes: alike, ..plan });
    assert_eq!(page.matches("<details class=\"nodes\"").count(), 1);
    assert!(page.contains("p-[0-4999]"));
}
