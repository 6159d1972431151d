//! A mig-parted file that is read prints as one that reads the same, and any can be judged.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use migsaw::geometry::Catalog;
use migsaw_kube::mig_parted::{Config, validate};

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);

fuzz_target!(|bytes: &[u8]| {
    let Ok(config) = Config::read(bytes) else { return };
    let printed = config.to_string();
    let again = Config::read(printed.as_bytes()).unwrap_or_else(|problems| panic!("{problems}\n{printed}"));
    assert_eq!(again, config, "{printed}");
    // Lines differ, so only the verdict is compared.
    let valid = validate(&config, &CATALOG, None).is_valid();
    assert_eq!(validate(&again, &CATALOG, None).is_valid(), valid, "{printed}");
});
