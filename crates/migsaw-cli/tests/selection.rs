//! `--sort-by` and `--filter`: which rows of a report are printed, and in which order.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Ran, example, migsaw};

/// Every report with a list, on an example.
fn reports() -> Vec<Vec<String>> {
    let of = |verb: &str, file: &str, more: &[&str]| {
        let args = [verb.to_owned(), example(file)];
        args.into_iter().chain(more.iter().map(|&arg| arg.to_owned())).collect::<Vec<String>>()
    };
    vec![
        of("chargeback", "history.json", &["--price", "A100-40GB=2.40"]),
        of("right-size", "history.json", &[]),
        of("quota", "tenants.yaml", &[]),
        of("advise", "tenants.yaml", &[]),
        of("capacity", "running.yaml", &[]),
        of("whatif", "running.yaml", &["--scale", "all=+50%"]),
        of("buy", "inference.yaml", &["--growth", "60%", "--by-size", "--model", "H100-80GB", "--model", "A100-80GB"]),
        of("robust", "inference.yaml", &["--scenario", "night:llm-7b=-50%", "--scenario", "day:llm-7b=+50%"]),
        of("simulate", "inference.yaml", &["--pods", "60", "--runs", "1"]),
    ]
}

fn ran(report: &[String], more: &[&str]) -> Ran {
    let args: Vec<&str> = report.iter().map(String::as_str).chain(more.iter().copied()).collect();
    migsaw(&args)
}

/// The cells of a CSV without line ends in its cells, header first.
fn table(csv: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let (mut cells, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    };
    csv.lines().map(cells).collect()
}

fn cell(row: &[String], at: usize) -> &str {
    &row[at]
}

#[test]
fn rows_are_sorted_by_any_column_of_any_report() {
    for report in reports() {
        let plain = ran(&report, &["-o", "csv"]);
        let all = table(&plain.out);
        assert!(all.len() > 2, "{report:?}: {}", plain.out);
        // All columns of the first report; it takes long to make the others again for each.
        let every = if report[0] == "chargeback" { 1 } else { 4 };
        for (at, column) in all[0].iter().enumerate().step_by(every) {
            let rows = |order: &str| {
                let ran = ran(&report, &["-o", "csv", "--sort-by", &format!("{column}{order}")]);
                assert_eq!((ran.code, table(&ran.out)[0] == all[0]), (plain.code, true), "{report:?}: {}", ran.err);
                table(&ran.out)[1..].to_vec()
            };
            let (up, down) = (rows(""), rows(":desc"));
            for rows in [&up, &down] {
                let (mut there, mut expected) = (rows.clone(), all[1..].to_vec());
                there.sort();
                expected.sort();
                assert_eq!(there, expected, "{report:?} by {column}: every row once");
            }
            let values = |rows: &[Vec<String>]| -> Option<Vec<f64>> {
                rows.iter()
                    .map(|row| cell(row, at))
                    .filter(|cell| !cell.is_empty())
                    .map(|cell| cell.parse().ok())
                    .collect()
            };
            if let (Some(up), Some(down)) = (values(&up), values(&down)) {
                assert!(up.is_sorted(), "{report:?} by {column}: {up:?}");
                assert!(down.iter().rev().is_sorted(), "{report:?} by {column}: {down:?}");
            }
            // What is equal there keeps its order, whichever way.
            for rows in [&up, &down] {
                for value in rows.iter().map(|row| cell(row, at)) {
                    let alike = |rows: &[Vec<String>]| -> Vec<Vec<String>> {
                        rows.iter().filter(|row| cell(row, at) == value).cloned().collect()
                    };
                    assert_eq!(alike(rows), alike(&all[1..]), "{report:?} by {column}");
                }
            }
        }
    }
}

#[test]
fn rows_are_filtered_by_any_column_of_any_report() {
    for report in reports() {
        let all = table(&ran(&report, &["-o", "csv"]).out);
        let rows = |filters: &[&str]| {
            let mut more = vec!["-o", "csv"];
            more.extend(filters.iter().flat_map(|filter| ["--filter", filter]));
            let ran = ran(&report, &more);
            assert!(ran.code < 2, "{report:?}: {}", ran.err);
            table(&ran.out)[1..].to_vec()
        };
        for (at, column) in all[0].iter().enumerate().step_by(3) {
            let wanted = cell(&all[1], at);
            let expected: Vec<Vec<String>> =
                all[1..].iter().filter(|row| cell(row, at).eq_ignore_ascii_case(wanted)).cloned().collect();
            assert_eq!(
                rows(&[&format!("{column}={}", wanted.replace('*', "\\*"))]),
                expected,
                "{report:?}: {column}={wanted}"
            );
        }
        let text = all[1].iter().find(|cell| !cell.is_empty()).unwrap();
        let has = |row: &Vec<String>| row.iter().any(|cell| cell.to_lowercase().contains(&text.to_lowercase()));
        let expected: Vec<Vec<String>> = all[1..].iter().filter(|row| has(row)).cloned().collect();
        assert_eq!(rows(&[&format!("={text}")]), expected, "{report:?}: {text}");
        assert!(rows(&[&format!("={text}"), "no such text"]).is_empty(), "{report:?}");
    }
}

#[test]
fn text_and_markdown_say_how_many_rows_are_left_out() {
    for report in reports() {
        let whole = ran(&report, &["--filter", "="]);
        assert!(whole.code < 2 && !whole.out.contains(" shown"), "{}{}", whole.err, whole.out);
        for form in ["text", "markdown"] {
            let none = ran(&report, &["-o", form, "--filter", "no such text"]);
            assert_eq!(none.code, whole.code);
            assert!(none.out.contains("0 of ") && none.out.contains(" shown"), "{report:?}: {}", none.out);
            // The answer is about all of it, as it was.
            let answer = none.out.lines().next().unwrap().trim_end_matches('*');
            assert!(ran(&report, &["-o", form]).out.starts_with(answer), "{report:?}: {answer}");
        }
    }
}

#[test]
fn the_total_is_of_all_rows() {
    let report = &reports()[0];
    let total = |more: &[&str]| {
        let out = ran(report, more).out;
        out.lines()
            .find(|line| line.starts_with("(all)"))
            .unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let all = total(&[]);
    assert_eq!(total(&["--sort-by", "gpu-hours:desc"]), all);
    assert_eq!(total(&["--filter", "slice=1g.5gb"]), all);
    let filtered = ran(report, &["--filter", "slice=1g.5gb"]).out;
    assert!(filtered.contains("the last row is about all of them"), "{filtered}");
    let (shown, lines) = (filtered.lines(), ran(report, &["-o", "csv", "--filter", "slice=1g.5gb"]).out);
    assert_eq!(shown.filter(|line| line.contains("1g.5gb")).count(), lines.lines().count() - 1);
}

#[test]
fn the_nodes_of_a_plan_are_a_list() {
    let plan = |more: &[&str]| {
        let ran = migsaw(&[&["plan", &example("running.yaml")], more].concat());
        assert!(ran.code < 2, "{}", ran.err);
        ran.out
    };
    let nodes = |out: &str| -> Vec<String> {
        let rows =
            out.lines().skip_while(|line| !line.starts_with("node ")).skip(1).take_while(|line| !line.is_empty());
        rows.filter(|line| !line.starts_with(' ')).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let document: serde_json::Value = serde_json::from_str(&plan(&["-o", "json"])).unwrap();
    let groups = document["nodes"].as_array().unwrap();
    let count: u64 = groups.iter().map(|group| group["nodes"].as_array().map_or(1, |n| n.len() as u64)).sum();
    let (up, down) = (nodes(&plan(&["--sort-by", "node"])), nodes(&plan(&["--sort-by", "node:desc"])));
    assert_eq!(up.len() as u64, count, "{up:?}");
    assert_eq!(up, down.iter().rev().cloned().collect::<Vec<_>>());
    let one = plan(&["--filter", &format!("node={}", up[0])]);
    assert_eq!(nodes(&one), up[..1]);
    assert!(one.contains(&format!("1 of {count} rows shown")), "{one}");
    assert_eq!(one.lines().next(), plan(&[]).lines().next());
    let sheet = table(&plan(&["-o", "csv"]));
    assert_eq!(sheet[0][..3], ["node", "pool", "GPUs"]);
    let mut names: Vec<&str> = sheet[1..].iter().map(|row| cell(row, 0)).collect();
    names.sort_unstable();
    let mut expected: Vec<&str> = up.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    let last_first = table(&plan(&["-o", "csv", "--sort-by", "node:desc"]));
    assert_eq!(last_first[1..].iter().map(|row| cell(row, 0)).collect::<Vec<_>>(), down);
    let markdown = plan(&["-o", "markdown"]);
    assert!(markdown.contains("| node"), "{markdown}");
    let rows =
        |text: &str| text.lines().filter(|line| up.iter().any(|node| line.starts_with(&format!("| {node} ")))).count();
    assert_eq!(rows(&markdown) as u64, count, "{markdown}");
    assert_eq!(rows(&plan(&["-o", "md", "--filter", &format!("node={}", up[0])])), 1);
}

#[test]
fn what_cannot_be_selected_is_refused() {
    let history = example("history.json");
    let tenants = example("tenants.yaml");
    for (args, code, says) in [
        (
            &["chargeback", &history, "--sort-by", "price"][..],
            "unknown-column",
            "(there are Namespace, slice, slice-hours, ",
        ),
        (&["chargeback", &history, "-o", "csv", "--filter", "GPU-hours=1"], "unknown-column", "unit_seconds"),
        (&["quota", &tenants, "-o", "json", "--sort-by", "used"], "usage", "csv"),
        (&["quota", &tenants, "-o", "html", "--filter", "a"], "usage", "where it is opened"),
        (&["plan", &tenants, "-o", "svg", "--filter", "a"], "usage", "text"),
        (&["plan", &tenants, "--curve", "--sort-by", "node"], "usage", "--curve"),
        (&["quota", &tenants, "--propose", "--filter", "a"], "usage", "--out"),
    ] {
        let ran = migsaw(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains(&format!("error[{code}]")) && ran.err.contains(says), "{args:?}: {}", ran.err);
    }
}
