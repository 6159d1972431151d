//! Failures as people read them: what is wrong, where, and what to do.

use std::fmt::Write as _;

use migsaw_kube::dump::Excerpt;
use migsaw_report::{Style, Tone, clean, counted};

use crate::io::Io;

/// Everything that is wrong with an input.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
pub(crate) struct Failure(pub(crate) Vec<Problem>);

/// One problem.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problem {
    /// A stable code for programs.
    pub(crate) code: String,
    /// What is wrong, and where it is short, what would be right.
    pub(crate) message: String,
    /// The file.
    pub(crate) file: Option<String>,
    /// Line and column, from 1; column 0 if only the line is known.
    pub(crate) at: Option<(u64, u64)>,
    /// The line's text, or a part of it.
    pub(crate) line: Option<String>,
    /// How many characters of the line are before that part.
    pub(crate) before: usize,
    /// How many characters of the line it is about, if that is known.
    pub(crate) length: usize,
    /// What to do.
    pub(crate) help: Option<String>,
}

/// A step that failed, with a stable code, around its cause.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Step {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Step {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Step {
        Step { code, message: message.into() }
    }
}

impl Problem {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { code: code.into(), message: message.into(), ..Problem::default() }
    }

    pub(crate) fn in_file(mut self, file: &str) -> Problem {
        self.file = Some(file.to_owned());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// Places it in a text, from which the line is quoted. Line 0 is unknown.
    ///
    /// This reads the text up to that line; for many problems in one text there is
    /// [`Problem::at_line_of`].
    pub(crate) fn at(self, text: &str, line: u64, column: u64) -> Problem {
        let quoted = nth(line).and_then(|n| text.lines().nth(n));
        self.quoting(quoted, line, column)
    }

    /// Like [`Problem::at`], in a text of which the lines are at hand.
    pub(crate) fn at_line_of(self, lines: &[&str], line: u64, column: u64) -> Problem {
        let quoted = nth(line).and_then(|n| lines.get(n).copied());
        self.quoting(quoted, line, column)
    }

    /// Places it where only a part of the line is at hand.
    pub(crate) fn at_excerpt(self, excerpt: &Excerpt, line: u64, column: u64) -> Problem {
        let quoted = Some(excerpt.text.as_str()).filter(|text| !text.is_empty());
        Problem { before: excerpt.before, ..self }.quoting(quoted, line, column)
    }

    fn quoting(mut self, quoted: Option<&str>, line: u64, column: u64) -> Problem {
        if line > 0 {
            self.at = Some((line, column));
            self.line = quoted.map(str::to_owned);
        }
        self
    }
}

/// The index of a line that is counted from 1; `None` for line 0, which is unknown.
fn nth(line: u64) -> Option<usize> {
    usize::try_from(line.checked_sub(1)?).ok()
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure(vec![problem])
    }
}

/// Most characters of a line that are quoted.
const MOST_QUOTED: usize = 110;
/// Most problems that are printed; nobody reads on.
const MOST_PRINTED: usize = 50;

/// Says on stderr what failed.
pub(crate) fn report(error: &anyhow::Error, io: &mut Io<'_>) {
    let style = Style { width: 100, color: io.terminal.color_stderr(), unicode: io.terminal.unicode };
    let text = match error.downcast_ref::<Failure>() {
        Some(failure) => failure.print(style),
        None => chain(error, style),
    };
    // Nobody is left to tell if this fails.
    let _ = io.stdout.flush();
    let _ = io.stderr.write_all(text.as_bytes()).and_then(|()| io.stderr.flush());
}

/// The steps that failed, outermost first, and the causes.
fn chain(error: &anyhow::Error, style: Style) -> String {
    let code = error.downcast_ref::<Step>().map_or("failed", |step| step.code);
    let mut text = Problem::new(code, error.to_string()).headline(style);
    for cause in error.chain().skip(1) {
        let _ = writeln!(text, "  because {}", clean(&cause.to_string()));
    }
    text
}

impl Failure {
    fn print(&self, style: Style) -> String {
        let shown = self.0.iter().take(MOST_PRINTED).map(|problem| problem.print(style));
        let mut text = shown.collect::<Vec<_>>().join("\n");
        if let Some(more @ 1..) = self.0.len().checked_sub(MOST_PRINTED) {
            let _ = writeln!(text, "\nand {}", counted(more as u64, "more problem"));
        }
        text
    }
}

impl Problem {
    fn print(&self, style: Style) -> String {
        format!("{}{}{}", self.headline(style), self.place(style), self.advice(style))
    }

    fn headline(&self, style: Style) -> String {
        let label = style.paint(Tone::Bad, format!("error[{}]", clean(&self.code)));
        let mut lines = self.message.lines();
        let mut text = format!("{label}: {}\n", clean(lines.next().unwrap_or_default()));
        for line in lines {
            let _ = writeln!(text, "  {}", clean(line));
        }
        text
    }

    fn place(&self, style: Style) -> String {
        let Some(file) = &self.file else { return String::new() };
        let arrow = style.paint(Tone::Faint, "-->");
        let Some((line, column)) = self.at else { return format!("  {arrow} {}\n", clean(file)) };
        let column_shown = if column > 0 { format!(":{column}") } else { String::new() };
        let mut text = format!("  {arrow} {}:{line}{column_shown}\n", clean(file));
        if let Some(quoted) = &self.line {
            let gutter = line.to_string();
            let bar = style.paint(Tone::Faint, "|");
            let (shown, offset) = window(quoted, self.before, usize::try_from(column.max(1)).unwrap_or(1) - 1);
            let _ = writeln!(text, " {gutter} {bar} {shown}");
            if column > 0 {
                let marks = self.length.clamp(1, MOST_QUOTED.saturating_sub(offset).max(1));
                let marks = style.paint(Tone::Bad, "^".repeat(marks));
                let _ = writeln!(text, " {:1$} {bar} {2:3$}{marks}", "", gutter.len(), "", offset);
            }
        }
        text
    }

    fn advice(&self, style: Style) -> String {
        let Some(help) = &self.help else { return String::new() };
        format!("  {} {}\n", style.paint(Tone::Strong, "help:"), clean(help))
    }
}

/// The part of a line around a column, one harmless character for each, and where the column is in it. `line` is what
/// is known of the line, behind so many characters of it.
fn window(line: &str, before: usize, column: usize) -> (String, usize) {
    let from = if column + 10 > MOST_QUOTED { column - MOST_QUOTED / 2 } else { 0 }.max(before);
    let column = column.max(from);
    let characters: Vec<char> = line.chars().skip(from - before).take(MOST_QUOTED + 1).collect();
    let mut shown: String = characters.iter().take(MOST_QUOTED).map(|&c| harmless(c)).collect();
    if characters.len() > MOST_QUOTED {
        shown.push('…');
    }
    // Behind the end there is nothing to point at but the end.
    let at = (column - from).min(characters.len());
    if from > 0 { (format!("…{shown}"), at + 1) } else { (shown, at) }
}

fn harmless(c: char) -> char {
    match c {
        // One character in the file, it would be several on the screen.
        '\t' => ' ',
        c if clean(c.encode_utf8(&mut [0; 4])).chars().count() == 1 => c,
        _ => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(problem: &Problem, expected: &str) {
        assert_eq!(problem.print(Style::plain()), expected);
    }

    #[test]
    fn problems_point_at_the_line() {
        let text = "a\n\tmodel: H1000\n";
        let mut problem = Problem::new("unknown-model", "no model is called `H1000`").in_file("s.yaml").at(text, 2, 9);
        problem.length = 5;
        check(
            &problem.help("nearest: H100"),
            "error[unknown-model]: no model is called `H1000`\n  --> s.yaml:2:9\n 2 |  model: H1000\n   |         ^^^^^\n  help: nearest: H100\n",
        );
        check(&Problem::new("x", "a\nb"), "error[x]: a\n  b\n");
        check(&Problem::new("x", "\u{1b}[2J").in_file("f"), "error[x]: \\u{1b}[2J\n  --> f\n");
        check(&Problem::new("x", "y").in_file("f").at("abc", 1, 0), "error[x]: y\n  --> f:1\n 1 | abc\n");
        check(&Problem::new("x", "y").in_file("f").at("abc", 9, 1), "error[x]: y\n  --> f:9:1\n");
    }

    #[test]
    fn only_so_many_problems_are_printed() {
        let problems = |n: usize| Failure(vec![Problem::new("x", "y"); n]).print(Style::plain());
        assert_eq!(problems(MOST_PRINTED).matches("error[x]").count(), MOST_PRINTED);
        assert!(!problems(MOST_PRINTED).contains("more"));
        let text = problems(MOST_PRINTED + 2);
        assert_eq!(text.matches("error[x]").count(), MOST_PRINTED);
        assert!(text.ends_with("\nand 2 more problems\n"), "{text}");
    }

    #[test]
    fn a_line_is_quoted_the_same_either_way() {
        let text = "a\nb\r\nc";
        let lines: Vec<&str> = text.lines().collect();
        for line in 0..5 {
            let problem = |p: Problem| (p.at, p.line);
            let new = || Problem::new("x", "y");
            assert_eq!(problem(new().at(text, line, 1)), problem(new().at_line_of(&lines, line, 1)), "{line}");
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_column() {
        let line = "x".repeat(1000);
        for column in [0, 50, 99, 100, 500, 999] {
            let (shown, at) = window(&line, 0, column);
            assert!(shown.chars().count() <= MOST_QUOTED + 2, "{column}");
            assert!(at <= MOST_QUOTED, "{column}: {at}");
        }
        assert_eq!(window("ab", 0, 7), ("ab".to_owned(), 2));
        for column in [100, 500, 899] {
            let known = &line[column - 100..column + 100];
            assert_eq!(window(known, column - 100, column), window(&line, 0, column), "{column}");
        }
    }
}
