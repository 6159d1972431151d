//! Profile names, and the text notation of layouts and counts, print what they parse.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use migsaw::geometry::{Catalog, Counts, Layout, ProfileName};

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);

fuzz_target!(|text: &str| {
    if let Ok(name) = text.parse::<ProfileName>() {
        assert_eq!(name.to_string().parse().as_ref(), Ok(&name));
        let resource = name.resource();
        if let Some(back) = ProfileName::from_resource(&resource) {
            assert_eq!(back.resource(), resource);
        }
    }
    for model in CATALOG.models() {
        if let Ok(layout) = Layout::parse(model, text) {
            let printed = layout.display(model).to_string();
            assert_eq!(Layout::parse(model, &printed).as_ref(), Ok(&layout), "{printed} on {}", model.id);
            assert!(layout.occupancy(model).is_ok(), "{printed} on {}", model.id);
        }
        if let Ok(counts) = Counts::parse(model, text) {
            let printed = counts.display(model).to_string();
            assert_eq!(Counts::parse(model, &printed).as_ref(), Ok(&counts), "{printed} on {}", model.id);
        }
    }
});
