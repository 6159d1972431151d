# One recipe per check; `.ci/run` runs them all on a clean clone.

# List the recipes.
default:
    @just --list

# Everything continuous integration runs.
ci:
    .ci/run

# The code is formatted.
fmt:
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check

# No lint warns.
clippy:
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy -p migsaw-kube --all-targets -- -D warnings

# The documentation builds without warnings.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# All tests.
test:
    cargo test --workspace

# Each kind of page in Chromium: console, axe, filter, theme, three widths (needs Node.js and Chromium).
pages *SCREENSHOTS:
    tests/browser/run {{SCREENSHOTS}}

# The chart, and the scheduler's configurations (needs the control plane's binaries).
deploy:
    HELM=${KUBEBUILDER_ASSETS:-~/.cache/migsaw/control-plane}/helm deploy/chart/check
    KUBEBUILDER_ASSETS=${KUBEBUILDER_ASSETS:-~/.cache/migsaw/control-plane} deploy/scheduler/check

# A control plane for the suites that act on a cluster (needs Go; KUBEBUILDER_ASSETS chooses the folder).
control-plane:
    tests/control-plane/build

# The oldest Rust the crates promise (needs rustup).
msrv:
    cargo +1.90 check --workspace --locked

# Each crate with each of its features, one by one: a workspace build hides missing ones.
features:
    cargo check -p migsaw
    cargo check -p migsaw --features highs
    cargo check -p migsaw-kube
    cargo check -p migsaw-kube --features client --all-targets
    cargo check -p migsaw-extender
    cargo check -p migsaw-report
    cargo check -p migsaw-cli
    cargo check -p migsaw-cli --features highs
    cargo check -p migsaw-cli --features otel

# Traces of `serve` reach a collector.
otel:
    cargo test -p migsaw-cli --features otel --test otel

# The planner against HiGHS on the naive program (needs cmake and libclang).
highs:
    cargo test -p migsaw-tests --features highs --test naive

# Licences, sources and duplicate versions of what we depend on (needs cargo-deny).
deny:
    cargo deny check licenses bans sources

# What `migsaw` consists of, as CycloneDX, into target/migsaw.cdx.json (needs cargo-cyclonedx), for the Rust target and
# the features of the binary it is for.
sbom features="" target="x86_64-unknown-linux-musl":
    cargo cyclonedx --manifest-path crates/migsaw-cli/Cargo.toml --describe binaries --format json --spec-version 1.5 --target {{ target }} --features "{{ features }}"
    mkdir -p target && mv crates/migsaw-cli/migsaw_bin.cdx.json target/migsaw.cdx.json
    find crates benches tests -name '*_bin.cdx.json' -delete

# Each fuzz target for so many seconds.
fuzz seconds="60" *targets:
    fuzz/run {{ seconds }} {{ targets }}

# The fuzz targets as briefly as in CI.
fuzz-brief: (fuzz "15")

# Measure; results in target/criterion.
bench *filter:
    cargo bench -p migsaw-benches -- {{ filter }}

# `migsaw serve` under what it should survive: soak, overload, slow-clients, rotate, away, roll.
trial +arguments:
    cargo build --release -p migsaw-cli
    cargo run --release -p migsaw-benches --bin extender -- {{ arguments }}

# Time, gap and memory over 20 seeds of a mixed fleet.
scale gpus="100000":
    cargo run --release -p migsaw-benches --bin scale -- {{ gpus }}

# The published problems, into BENCHMARKS.md; `traces` is a folder with data of others.
bench-paper traces:
    cargo run --release -p migsaw-benches --bin paper -- all --traces {{ traces }} --into BENCHMARKS.md

# Each bench once, small.
bench-test:
    cargo bench -p migsaw-benches -- --test

# Take the present output as the right one in the golden files; review the diff like code.
golden:
    INSTA_UPDATE=always cargo test -p migsaw-report
    MIGSAW_README=update cargo test -p migsaw-cli --test readme
