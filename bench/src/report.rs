//! What a run has found: rows of the table, and notes and plots below it.

use std::fmt::Write as _;

/// A row of the table.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// What came of it.
    pub(crate) figure: String,
    /// What was run beside it, and what came of that.
    pub(crate) yardstick: String,
    /// The one against the other, where that is the figure that counts.
    pub(crate) ratio: Option<f64>,
    /// What the project promises.
    pub(crate) target: String,
    /// Whether it is kept.
    pub(crate) met: bool,
}

/// What the measurements have come to.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    notes: Vec<(String, Vec<String>)>,
    plots: Vec<(String, String)>,
}

impl Report {
    /// Adds a row, and tells that it is there.
    pub(crate) fn row(&mut self, row: Row) {
        eprintln!("    {}", line(&row));
        self.rows.push(row);
    }

    /// Starts the notes of a part of the run.
    pub(crate) fn part(&mut self, name: &str) {
        eprintln!("[bench] {name}");
        self.notes.push((name.to_owned(), Vec::new()));
    }

    /// Adds a note to the current part.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        eprintln!("    {text}");
        self.notes.last_mut().expect("a part to note it under").1.push(text);
    }

    /// Names a plot.
    pub(crate) fn plot(&mut self, title: &str, file: &str) {
        self.plots.push((title.to_owned(), file.to_owned()));
    }

    /// The table in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = "| what | figure | yardstick | ratio | target | met |\n|---|---|---|---|---|---|\n".to_owned();
        for row in &self.rows {
            let _ = writeln!(text, "{}", line(row));
        }
        text
    }

    /// The plots and the notes in Markdown.
    pub(crate) fn details(&self) -> String {
        let mut text = String::new();
        if !self.plots.is_empty() {
            text.push_str("## Plots\n\n");
        }
        for (title, file) in &self.plots {
            let _ = writeln!(text, "![{title}]({file})\n");
        }
        text.push_str("## Part by part\n");
        for (part, notes) in self.notes.iter().filter(|(_, notes)| !notes.is_empty()) {
            let _ = writeln!(text, "\n### {part}\n");
            for note in notes {
                let _ = writeln!(text, "- {note}");
            }
        }
        text
    }
}

fn line(row: &Row) -> String {
    let ratio = row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    let met = if row.met { "yes" } else { "**no**" };
    let Row { what, figure, yardstick, target, .. } = row;
    format!("| {what} | {figure} | {yardstick} | {ratio} | {target} | {met} |")
}
