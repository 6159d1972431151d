//! The binary `kubectl-migsaw`: the same as `migsaw`, under the name kubectl looks for.

fn main() -> std::process::ExitCode {
    migsaw_cli::main()
}
