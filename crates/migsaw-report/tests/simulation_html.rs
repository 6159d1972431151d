//! The page of a simulation, and its pictures: complete, harmless, well-formed, the same each time.

use migsaw::document::simulation::{
    CutForm, EstimateForm, MomentForm, PolicyForm, QueueForm, ShareForm, SimulationDocument, SourceForm,
};
use migsaw_report::Origin;
use migsaw_report::simulation::pictures;
use roxmltree::{Document, Node};

const POLICIES: [(&str, f64); 6] = [
    ("room", 0.9173),
    ("mfi", 0.902),
    ("best-fit", 0.8871),
    ("first-fit", 0.8869),
    ("load-balanced", 0.8012),
    ("repacked", 0.9502),
];

fn estimate(mean: f64) -> EstimateForm {
    EstimateForm { mean, half_width: Some(0.0031), least: mean - 0.01, most: mean + 0.01 }
}

fn shares(names: &[&str], placed: f64) -> Vec<ShareForm> {
    let share = |(at, name): (u32, &&str)| {
        let less = 0.05 * f64::from(at);
        ShareForm {
            name: (*name).to_owned(),
            pods: 12_000,
            placed_pods: estimate(placed - less),
            evictions: estimate(less),
        }
    };
    (0..).zip(names).map(share).collect()
}

fn policy(name: &str, placed: f64) -> PolicyForm {
    let moment = |at: u32| {
        let time = f64::from(at);
        let ramp = 1.0 - (-time / 9.0).exp();
        MomentForm {
            at: u64::from(at) * 3600,
            used: (ramp * placed + 0.01 * (time / 3.0 + placed * 90.0).sin()).clamp(0.0, 1.0),
            active_gpus: 99,
            waiting: u64::from(at % 17),
            placed_pods: 1.0 - (1.0 - placed) * ramp,
        }
    };
    PolicyForm {
        name: name.to_owned(),
        about: format!("what {name} does"),
        cut: CutForm::AtWill,
        placed_units: estimate(placed),
        placed_units_more: (name != "room").then(|| estimate(placed - 0.9173)),
        placed_pods: estimate(placed + 0.04),
        mean_wait: estimate(90.0),
        p95_wait: estimate(7200.0),
        longest_wait: estimate(90_000.0),
        used: estimate(placed - 0.02),
        active_gpus: estimate(99.2),
        fragmented: estimate(0.03),
        moves: estimate(0.0),
        evictions: estimate(0.0),
        recuts: estimate(0.0),
        closed_gpu_hours: estimate(0.0),
        by_profile: shares(&["1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"], placed),
        by_priority: shares(&["0", "1000"], placed),
        by_namespace: shares(&["default", "research"], placed),
        series: (0..121).map(moment).collect(),
    }
}

fn simulation() -> SimulationDocument {
    SimulationDocument {
        api_version: "migsaw.io/v1alpha1".to_owned(),
        kind: "Simulation".to_owned(),
        gpus: 100,
        units: 800,
        pods: 1824,
        source: SourceForm::Load(1.0),
        queue: Some(QueueForm::Backfill),
        recut: None,
        eviction: None,
        learnt: None,
        runs: 20,
        policies: POLICIES.iter().map(|(name, placed)| policy(name, *placed)).collect(),
    }
}

fn html(simulation: &SimulationDocument) -> String {
    migsaw_report::simulation::html(simulation, &Origin::default())
}

/// The part of a page that is XML, for which it has to be well-formed.
fn body(page: &str) -> &str {
    let end = page.find("</body>").expect("a page has a body") + "</body>".len();
    &page[page.find("<body>").expect("a page has a body")..end]
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|node| if node.is_text() { node.text() } else { None }).collect()
}

fn find<'a, 'b>(node: Node<'a, 'b>, tag: &str) -> Vec<Node<'a, 'b>> {
    node.descendants().filter(|node| node.has_tag_name(tag) || node.tag_name().name() == tag).collect()
}

#[test]
fn the_answer_is_the_headline_and_each_policy_has_its_row() {
    let page = html(&SimulationDocument { queue: None, ..simulation() });
    let xml = Document::parse(body(&page)).unwrap();
    let headline = text(find(xml.root(), "h1")[0]);
    assert_eq!(headline, "room places 91.7% of what is asked for, 1.53 points more than mfi");
    let waiting = html(&simulation());
    let xml_of_waiting = Document::parse(body(&waiting)).unwrap();
    assert_eq!(
        text(find(xml_of_waiting.root(), "h1")[0]),
        "8.3% of what is asked for is never placed under room, 1.50 points less than under mfi; the other pods wait 90s on average"
    );
    let rows: Vec<String> = find(find(xml.root(), "table")[0], "tr").into_iter().map(text).collect();
    assert_eq!(rows.len(), 1 + POLICIES.len());
    for (row, (name, placed)) in rows[1..].iter().zip(POLICIES) {
        assert!(row.starts_with(name) && row.contains(&format!("{:.2} ± 0.31%", placed * 100.0)), "{row}");
        assert_eq!(row.contains("room best"), name == "room", "{row}");
        assert_eq!(row.contains("repacked bound"), name == "repacked", "{row}");
    }
}

#[test]
fn every_table_has_a_cell_for_each_heading() {
    let page = html(&simulation());
    let xml = Document::parse(body(&page)).unwrap();
    let tables = find(xml.root(), "table");
    assert_eq!(tables.len(), 7, "policies, profiles, priorities, namespaces and three over time");
    for table in tables {
        let rows: Vec<usize> =
            find(table, "tr").iter().map(|row| row.children().filter(Node::is_element).count()).collect();
        assert!(rows.len() > 1 && rows.windows(2).all(|pair| pair[0] == pair[1]), "{rows:?}");
    }
}

#[test]
fn every_picture_says_what_it_shows() {
    let page = html(&simulation());
    let xml = Document::parse(body(&page)).unwrap();
    let drawn = find(xml.root(), "svg");
    assert_eq!(drawn.len(), 2 * pictures(&simulation()).len(), "one for wide screens, one for narrow ones");
    for svg in drawn {
        assert_eq!(svg.attribute("role"), Some("img"));
        assert!(!text(find(svg, "title")[0]).is_empty());
        let description = text(find(svg, "desc")[0]);
        let seen: String = find(svg, "text").into_iter().map(text).collect();
        for (name, _) in POLICIES {
            assert!(description.contains(name) && seen.contains(name), "{description}");
        }
    }
}

#[test]
fn lines_differ_by_more_than_colour() {
    let page = html(&simulation());
    let xml = Document::parse(body(&page)).unwrap();
    let svg = find(xml.root(), "svg").into_iter().find(|svg| !find(*svg, "polyline").is_empty()).unwrap();
    let mut dashes: Vec<_> =
        find(svg, "polyline").iter().map(|line| line.attribute("stroke-dasharray").map(str::to_owned)).collect();
    dashes.sort();
    dashes.dedup();
    assert_eq!(dashes.len(), POLICIES.len());
}

#[test]
fn pictures_stand_alone() {
    let pictures = pictures(&simulation());
    let names: Vec<&str> = pictures.iter().map(|picture| picture.name).collect();
    assert_eq!(names, ["slices-placed", "in-use", "waiting", "placed-so-far", "by-profile"]);
    for picture in pictures {
        let xml = Document::parse(&picture.svg).unwrap();
        assert_eq!(xml.root_element().tag_name().namespace(), Some("http://www.w3.org/2000/svg"));
        assert_eq!(picture.svg.matches("http").count(), 1, "{}", picture.name);
    }
}

#[test]
fn what_is_not_there_is_not_shown() {
    let mut simulation = simulation();
    for policy in &mut simulation.policies {
        policy.by_profile.truncate(1);
        policy.by_priority.clear();
        policy.by_namespace.truncate(1);
        policy.series.iter_mut().for_each(|moment| moment.waiting = 0);
    }
    let names = |of: &SimulationDocument| pictures(of).iter().map(|picture| picture.name).collect::<Vec<_>>();
    assert_eq!(names(&simulation), ["slices-placed", "in-use", "placed-so-far"]);
    assert_eq!(html(&simulation).matches("<table").count(), 3);
    simulation.policies.iter_mut().for_each(|policy| policy.series.clear());
    assert_eq!(names(&simulation), ["slices-placed"]);
    simulation.policies.clear();
    assert_eq!(names(&simulation), [""; 0]);
    Document::parse(body(&html(&simulation))).unwrap();
}

#[test]
fn odd_figures_and_single_runs_have_a_page() {
    let mut odd = simulation();
    odd.runs = 1;
    for policy in &mut odd.policies {
        policy.placed_units = EstimateForm { mean: 1.0, half_width: None, least: 1.0, most: 1.0 };
        policy.placed_pods.mean = f64::NAN;
        policy.by_profile[0].placed_pods.mean = f64::INFINITY;
        policy.series.truncate(1);
    }
    odd.policies[1].by_profile.clear();
    odd.policies[2].series.clear();
    let page = html(&odd);
    Document::parse(body(&page)).unwrap();
    assert!(page.contains("A single run"));
    for svg in pictures(&odd) {
        assert!(!svg.svg.contains("NaN\"") && !svg.svg.contains("inf\""), "{}", svg.svg);
    }
}

#[test]
fn names_of_others_do_no_harm() {
    let evil = "</script><script>alert(1)</script>\" onload=\"x\u{202e}\u{0}\u{ffff}]]>&amp;'";
    let mut hostile = simulation();
    hostile.source = SourceForm::Trace(evil.to_owned());
    hostile.api_version = evil.to_owned();
    for policy in &mut hostile.policies {
        policy.name = format!("{evil}{}", policy.name);
        policy.about = evil.to_owned();
        for shares in [&mut policy.by_profile, &mut policy.by_priority, &mut policy.by_namespace] {
            for share in shares {
                share.name += evil;
            }
        }
    }
    let page = html(&hostile);
    assert_eq!(page.matches("<script").count(), 2, "the document and our own, and nothing else");
    assert_eq!(page.matches("</script").count(), 2);
    let shown = page.split("<script id=").next().unwrap();
    assert!(!shown.contains(['\u{202e}', '\u{0}', '\u{ffff}']));
    let xml = shown.to_owned() + "</body>";
    let xml = Document::parse(body(&xml)).unwrap();
    assert!(text(find(xml.root(), "h1")[0]).contains("<script>alert(1)</script>"));
    let attributes = |xml: &Document<'_>| {
        xml.descendants().flat_map(|node| node.attributes()).all(|attribute| !attribute.name().starts_with("on"))
    };
    assert!(attributes(&xml));
    for picture in pictures(&hostile) {
        let xml = Document::parse(&picture.svg).unwrap();
        assert!(find(xml.root(), "script").is_empty() && attributes(&xml));
    }
}

#[test]
fn nothing_is_loaded() {
    let page = html(&simulation());
    let page = page.replace("url(#", "").replace("href=\"#", "");
    for reference in ["http:", "https:", "url(", "@import", "src=", "<link", "href="] {
        assert!(!page.contains(reference), "{reference}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_document_is_within_and_comes_back() {
    let mut simulation = simulation();
    simulation.policies[0].name = "a<b>&c".to_owned();
    let page = html(&simulation);
    let begin = page.find("type=\"application/json\">").unwrap() + "type=\"application/json\">".len();
    let json = &page[begin..begin + page[begin..].find("</script>").unwrap()];
    let read: SimulationDocument = serde_json::from_str(json).unwrap();
    assert_eq!(read.policies[0].name, simulation.policies[0].name);
    let plain = json.replace(r"\u003c", "<").replace(r"\u003e", ">").replace(r"\u0026", "&");
    assert!(plain == serde_json::to_string(&simulation).unwrap(), "all of it, figure by figure");
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    assert_eq!(html(&simulation()), html(&simulation()));
    assert_eq!(pictures(&simulation()), pictures(&simulation()));
}
