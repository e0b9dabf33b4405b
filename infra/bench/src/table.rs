//! The table that people read.

use crate::figures::{Figure, Row};

/// Titles, how many decimals, and the figure of a row.
type Column = (&'static str, usize, fn(&Row) -> Figure);

const COLUMNS: [Column; 11] = [
    ("init ms", 2, |row| row.init_ms),
    ("to response ms", 2, |row| row.first_response_ms),
    ("init CPU ms", 2, |row| row.init_cpu_ms),
    ("first ms", 2, |row| row.first_ms),
    ("its CPU µs", 0, |row| row.first_cpu_us),
    ("warm p50 µs", 0, |row| row.warm_p50_us),
    ("p99 µs", 0, |row| row.warm_p99_us),
    ("CPU µs", 0, |row| row.warm_cpu_us),
    ("peak MiB", 1, |row| row.peak_mib),
    ("binary MB", 2, |row| row.binary_mb),
    ("zipped MB", 2, |row| row.zipped_mb),
];

/// Markdown: each figure, and how many times the floor's it is.
pub(crate) fn text(rows: &[Row]) -> String {
    let titles = COLUMNS.map(|(title, ..)| title.to_owned());
    let mut lines = vec![line("function", &titles), line("---", &titles.map(|_| "---".to_owned()))];
    lines.extend(rows.iter().map(|row| {
        line(
            &row.name,
            &COLUMNS.map(|(_, decimals, figure)| {
                let Figure { value, ratio } = figure(row);
                format!("{value:.decimals$} ({ratio:.1}×)")
            }),
        )
    }));
    lines.concat()
}

fn line(first: &str, cells: &[String]) -> String {
    format!("| {first} | {} |\n", cells.join(" | "))
}
