//! Writing several files into a folder, all of them or none.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::failure::{Failure, Problem, Step};

/// Writes a file's content.
pub(crate) type Content<'a> = Box<dyn Fn(&mut dyn Write) -> io::Result<()> + 'a>;

/// A file to be: its name and what writes its content.
pub(crate) struct Draft<'a> {
    pub(crate) name: &'static str,
    pub(crate) write: Content<'a>,
}

/// Writes all files into `folder`, which is created if it is not there, or leaves everything as it was.
///
/// A new folder appears with all its files at once. In one that is there, every file is ready beside the
/// old ones before the first is replaced, and what was replaced comes back if a later one fails.
pub(crate) fn publish(folder: &Path, drafts: &[Draft<'_>]) -> Result<()> {
    let shown = folder.display().to_string();
    let failed = || Step::new("unwritable", format!("cannot write to `{shown}`; nothing was written"));
    let refuse = |message: String| Failure::from(Problem::new("unwritable", message));
    if folder.exists() {
        if !folder.is_dir() {
            return Err(refuse(format!("`{shown}` is a file (expected a folder); nothing was written")).into());
        }
        if let Some(draft) = drafts.iter().find(|draft| folder.join(draft.name).is_dir()) {
            return Err(refuse(format!("`{shown}/{}` is a folder; nothing was written", draft.name)).into());
        }
        let stage = stage_in(folder).with_context(failed)?;
        write_all(stage.path(), drafts).with_context(failed)?;
        return replace(folder, stage.path(), drafts).with_context(failed);
    }
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).with_context(failed)?;
    let stage = stage_in(parent).with_context(failed)?;
    // The stage itself is private; what is moved out of it gets the usual permissions.
    let ready = stage.path().join("ready");
    fs::create_dir(&ready).with_context(failed)?;
    write_all(&ready, drafts).with_context(failed)?;
    fs::rename(&ready, folder).with_context(failed)
}

/// Writes one file, or leaves the one that is there as it was. Its folder must be there: a file says of no folder that
/// it is to be made.
pub(crate) fn publish_file(path: &Path, content: &[u8]) -> Result<()> {
    let failed = || Step::new("unwritable", format!("cannot write to `{}`; nothing was written", path.display()));
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !parent.exists() {
        let message =
            format!("there is no folder `{}` for `{}`; nothing was written", parent.display(), path.display());
        return Err(Failure::from(Problem::new("unwritable", message).help("make it first")).into());
    }
    let stage = stage_in(parent).with_context(failed)?;
    let draft = Draft { name: "file", write: Box::new(|out| out.write_all(content)) };
    write_all(stage.path(), &[draft]).with_context(failed)?;
    fs::rename(stage.path().join("file"), path).with_context(failed)
}

/// A folder that vanishes when it is dropped.
fn stage_in(parent: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix(".migsaw-").tempdir_in(parent)
}

fn write_all(folder: &Path, drafts: &[Draft<'_>]) -> io::Result<()> {
    for draft in drafts {
        let mut file = BufWriter::new(File::create(folder.join(draft.name))?);
        (draft.write)(&mut file)?;
        file.into_inner()?.sync_all()?;
    }
    Ok(())
}

/// Moves the files from `stage` over those in `folder`; undoes it if one fails.
fn replace(folder: &Path, stage: &Path, drafts: &[Draft<'_>]) -> io::Result<()> {
    let mut done: Vec<(PathBuf, Option<PathBuf>)> = Vec::new();
    let mut swap = |name: &str| {
        let target = folder.join(name);
        let old = stage.join(format!("{name}.old"));
        let backup = if target.exists() {
            fs::rename(&target, &old)?;
            Some(old)
        } else {
            None
        };
        done.push((target.clone(), backup));
        fs::rename(stage.join(name), target)
    };
    let swapped = drafts.iter().try_for_each(|draft| swap(draft.name));
    if swapped.is_err() {
        for (target, backup) in done.iter().rev() {
            // The first failure is the one to report.
            let _ = match backup {
                Some(old) => fs::rename(old, target),
                None => fs::remove_file(target),
            };
        }
    }
    swapped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(name: &'static str, content: &'static str) -> Draft<'static> {
        Draft { name, write: Box::new(move |out| out.write_all(content.as_bytes())) }
    }

    fn failing(name: &'static str) -> Draft<'static> {
        Draft { name, write: Box::new(|_| Err(io::Error::other("disk full"))) }
    }

    /// Names and contents, by name.
    fn content(folder: &Path) -> Vec<(String, String)> {
        let mut found: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|e| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap_or_default()))
            .collect();
        found.sort();
        found
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    #[test]
    fn a_new_folder_appears_whole() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/new");
        publish(&folder, &[draft("a", "1"), draft("b", "2")]).unwrap();
        assert_eq!(content(&folder), pairs(&[("a", "1"), ("b", "2")]));
    }

    #[test]
    fn nothing_appears_if_one_file_fails() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new");
        assert!(publish(&folder, &[draft("a", "1"), failing("b")]).is_err());
        assert!(content(parent.path()).is_empty(), "{:?}", content(parent.path()));
    }

    #[test]
    fn an_old_folder_keeps_its_other_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "old").unwrap();
        fs::write(folder.path().join("mine"), "kept").unwrap();
        assert!(publish(folder.path(), &[draft("a", "new"), failing("b")]).is_err());
        assert_eq!(content(folder.path()), pairs(&[("a", "old"), ("mine", "kept")]));
        publish(folder.path(), &[draft("a", "new"), draft("b", "2")]).unwrap();
        assert_eq!(content(folder.path()), pairs(&[("a", "new"), ("b", "2"), ("mine", "kept")]));
    }

    #[test]
    fn a_failed_swap_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let stage = stage_in(folder.path()).unwrap();
        fs::write(folder.path().join("a"), "old").unwrap();
        fs::write(stage.path().join("a"), "new").unwrap();
        // `b` was never staged, so its move fails after that of `a`.
        assert!(replace(folder.path(), stage.path(), &[draft("a", ""), draft("b", "")]).is_err());
        drop(stage);
        assert_eq!(content(folder.path()), pairs(&[("a", "old")]));
    }

    #[test]
    fn files_in_the_way_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(publish(&file, &[draft("a", "1")]).unwrap_err().to_string().contains("is a file"));
        fs::create_dir(parent.path().join("a")).unwrap();
        assert!(publish(parent.path(), &[draft("a", "1")]).unwrap_err().to_string().contains("is a folder"));
        assert_eq!(content(parent.path()), pairs(&[("a", ""), ("file", "x")]));
    }
}
