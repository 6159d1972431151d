//! What README shows is what happens: each command of its `console` blocks prints what stands below it.
//!
//! `MIGSAW_README=update` writes the present output into README instead.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;

use common::binary;

/// README with the output of every command as it is now.
fn with_output(readme: &str, folder: &Path) -> (String, usize) {
    let mut text = String::new();
    let mut commands = 0;
    let mut inside = false;
    for line in readme.lines() {
        let fence = line.starts_with("```");
        let command = line.strip_prefix("$ ").filter(|_| inside);
        if fence || !inside || command.is_some() {
            text += line;
            text.push('\n');
        }
        if fence {
            inside = line == "```console";
        }
        if let Some(command) = command {
            commands += 1;
            text += &stdout_of(command, folder);
        }
    }
    (text, commands)
}

fn stdout_of(command: &str, folder: &Path) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (["cargo", "run", "--release", "--", arguments @ ..] | ["migsaw", arguments @ ..]) = &words[..] else {
        panic!("`{command}` is no call of migsaw (blocks of other commands are `sh`)")
    };
    let output = binary().args(arguments).current_dir(folder).output().unwrap();
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn readme_shows_what_happens() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("examples")).unwrap();
    for entry in fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join("examples").join(path.file_name().unwrap())).unwrap();
    }
    let shown = fs::read_to_string(root.join("README.md")).unwrap();
    let (happens, commands) = with_output(&shown, folder.path());
    assert!(commands >= 3, "{commands} commands found");
    assert!(shown.contains("$ cargo run --release -- plan examples/inference.yaml\n"));
    if std::env::var_os("MIGSAW_README").is_some_and(|value| value == "update") {
        fs::write(root.join("README.md"), happens).unwrap();
        return;
    }
    let different = shown.lines().zip(happens.lines()).find(|(shown, happens)| shown != happens);
    assert_eq!(shown, happens, "first difference: {different:?}; MIGSAW_README=update takes it over");
}
