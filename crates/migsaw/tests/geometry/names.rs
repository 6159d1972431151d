//! By which names models and profiles are found.

use migsaw::geometry::{Catalog, ProfileName, product_of};

use crate::model;

fn check(name: &str, expected: Result<&str, (&str, &str)>) {
    let found = Catalog::builtin().model(name).map(|m| m.id.clone()).map_err(|e| (e.code(), e.to_string()));
    let expected = expected.map(str::to_owned).map_err(|(code, said)| (code, said.to_owned()));
    assert_eq!(found, expected, "{name}");
}

#[test]
fn a_model_is_found_by_what_people_write() {
    for (name, id) in [
        ("H100-80GB", "H100-80GB"),
        ("h100-80gb", "H100-80GB"),
        ("H100-80", "H100-80GB"),
        ("A100-40", "A100-40GB"),
        ("B200", "B200-180GB"),
        ("H200", "H200-141GB"),
        ("A30", "A30-24GB"),
        ("RTX-PRO-6000", "RTX-PRO-6000-96GB"),
        ("RTX PRO 6000", "RTX-PRO-6000-96GB"),
        ("H100-96GB", "GH200-96GB"),
        ("H100-96", "GH200-96GB"),
        ("B300-SXM6", "B300-269GB"),
        ("NVIDIA-A100-SXM4-80GB", "A100-80GB"),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB"),
        ("NVIDIA-H100-NVL", "H100-94GB"),
        ("NVIDIA-H20", "H20-96GB"),
        ("NVIDIA-H20-3e", "H20-141GB"),
    ] {
        check(name, Ok(id));
    }
}

#[test]
fn a_name_that_means_no_or_several_models_is_refused() {
    check("H100", Err(("ambiguous-model", "`H100` may be H100-80GB or H100-94GB")));
    check("A100", Err(("ambiguous-model", "`A100` may be A100-40GB or A100-80GB")));
    check("H20", Err(("ambiguous-model", "`H20` may be H20-141GB or H20-96GB")));
    for name in ["", " ", "H", "A1", "V100", "A100-8", "\u{e9}", "NVIDIA-A100-SXM4-80GB-MIG", "-"] {
        assert_eq!(Catalog::builtin().model(name).unwrap_err().code(), "unknown-model", "{name}");
    }
    let said = Catalog::builtin().model("H100-80BG").unwrap_err().to_string();
    assert!(said.starts_with("no GPU model is called `H100-80BG` (nearest: H100-80GB"), "{said}");
}

#[test]
fn models_without_known_starts_are_refused_with_the_reason() {
    for (name, without) in [
        ("RTX-PRO-5000", "1g.24gb"),
        ("RTX-PRO-4500-32GB", "1g.16gb"),
        ("THOR", "1g.0gb"),
        ("NVIDIA-RTX-PRO-5000-Blackwell", "1g.24gb"),
        ("NVIDIA-RTX-PRO-4500-Blackwell-MIG-1g.16gb-SHARED", "1g.16gb"),
    ] {
        let error = Catalog::builtin().model(name).unwrap_err();
        assert_eq!(error.code(), "model-without-geometry");
        let said = error.to_string();
        assert!(said.contains(&format!("nobody publishes where {without}")), "{said}");
        assert!(said.contains("nvidia-smi mig -lgipp"), "{said}");
    }
    assert!(Catalog::builtin().by_device_filter("0x2BB310DE").unwrap().is_err());
}

#[test]
fn product_labels_are_read_with_any_suffix() {
    for suffix in [
        "",
        "-SHARED",
        "-MIG-1g.10gb",
        "-MIG-1g.10gb-SHARED",
        "-MIG-INVALID",
        "-MIG-INVALID-SHARED",
        "-MIG-1g.10gb.me",
        "-MIG-1g.24gb.me.all-SHARED",
        "-SHARED-MIG-1g.10gb",
    ] {
        for (label, id) in [
            ("NVIDIA-H100-80GB-HBM3", "H100-80GB"),
            ("NVIDIA-A100-SXM4-40GB", "A100-40GB"),
            ("NVIDIA-RTX-PRO-6000-Blackwell-Max-Q-Workstation-Edition", "RTX-PRO-6000-96GB"),
        ] {
            let whole = format!("{label}{suffix}");
            assert_eq!(product_of(&whole), label);
            assert_eq!(Catalog::builtin().by_product_label(&whole).unwrap().unwrap().id, id, "{whole}");
        }
    }
    for label in ["", "-MIG-", "NVIDIA-H100", "Tesla-V100-SXM2-16GB", "NVIDIA-H100-80GB-HBM3-MIG", "SHARED"] {
        assert!(Catalog::builtin().by_product_label(label).is_none(), "{label}");
    }
}

#[test]
fn device_filters_may_name_a_subsystem() {
    for (filter, id) in
        [("0x233010DE", "H100-80GB"), ("0x233010de", "H100-80GB"), ("0x233010DE:0x16C110DE", "H100-80GB")]
    {
        assert_eq!(Catalog::builtin().by_device_filter(filter).unwrap().unwrap().id, id);
    }
    for filter in ["", ":", "0x2330", "0x000010DE"] {
        assert!(Catalog::builtin().by_device_filter(filter).is_none(), "{filter}");
    }
}

#[test]
fn a_profile_is_found_under_other_drivers_names() {
    for (board, name, class) in [
        ("A100-40GB", "1g.10gb", "1gx2"),
        ("A100-80GB", "1g.10gb", "1g"),
        ("A100-80GB", "7g.79gb", "7g"),
        ("GB200", "1g.24gb", "1g"),
        ("GB200", "1g.24gb+me", "1g+me"),
        ("GB200", "3g.95gb", "3g"),
        ("GB200", "7g.189gb", "7g"),
        ("GB300", "1g.31gb", "1g"),
        ("GB300", "4g.126gb", "4g"),
        ("GB300", "1g.35gb", "1g"),
        ("H200", "1g.35gb", "1gx2"),
        ("RTX-PRO-6000", "1g.24gb-me", "1g-me"),
    ] {
        let model = model(board);
        let name: ProfileName = name.parse().unwrap();
        let id = model.profile(&name).unwrap_or_else(|| panic!("{name} on {board}"));
        assert_eq!(model.get(id).class, class, "{name} on {board}");
    }
    assert_eq!(model("A100-80GB").profile(&"1g.5gb".parse().unwrap()), None);
    // What DCGM calls it, and no driver.
    assert_eq!(model("H100-94").profile(&"1g.11gb".parse().unwrap()), None);
    assert_eq!(model("A100-80GB").profile(&"1c.3g.40gb".parse().unwrap()), None);
}
