//! The binary `migsaw`. Everything is in the library part.

fn main() -> std::process::ExitCode {
    migsaw_cli::main()
}
