//! The table that people read.

use crate::figures::{Figure, Row};

/// A title, and the cell of a row.
pub(crate) type Column<R = Row> = (&'static str, fn(&R) -> String);

const COLUMNS: [Column; 13] = [
    ("function", |row| row.name.clone()),
    ("init ms", |row| cell(row.init_ms, 2)),
    ("CPU ms", |row| cell(row.init_cpu_ms, 2)),
    ("M instr", |row| row.init_instructions.map_or_else(String::new, |figure| cell(of(figure, 1e6), 2))),
    ("response ms", |row| cell(row.first_response_ms, 2)),
    ("first CPU µs", |row| {
        format!("{:.0} {:.1}w {:.1}p", row.first_cpu_us.value, row.first_over_warm, row.first_over_paced)
    }),
    ("warm p50 µs", |row| cell(row.warm_p50_us, 0)),
    ("p99 µs", |row| format!("{:.0} {:.1}w", row.warm_p99_us.value, row.p99_over_p50)),
    ("raw µs", |row| row.raw.as_ref().map_or_else(String::new, |raw| format!("{:.0} {:.2}r", raw.p50_us, raw.ratio))),
    ("CPU µs", |row| cell(row.warm_cpu_us, 0)),
    ("k instr", |row| row.warm_instructions.map_or_else(String::new, |figure| cell(of(figure, 1e3), 0))),
    ("peak MiB", |row| cell(row.peak_mib, 1)),
    ("zipped MB", |row| cell(row.zipped_mb, 2)),
];

const LEGEND: &str = "× the floor; w: a multiple of the function's own warm figure; p: of its warm figure after a pause; r: a warm request as a multiple of the \
     floor and its raw round trips\n";

/// Each figure and what it is a multiple of, then which aims are missed.
pub(crate) fn text(rows: &[Row]) -> String {
    markdown(&COLUMNS, rows) + LEGEND + &rows.iter().filter_map(verdict).collect::<String>()
}

/// How many times the base's each figure is; `rows` have the base in the floor's place.
pub(crate) fn compared(rows: &[Row]) -> String {
    const RATIOS: [Column; 10] = [
        ("this ÷ base", |row| row.name.clone()),
        ("init", |row| times(row.init_ms)),
        ("CPU", |row| times(row.init_cpu_ms)),
        ("instr", |row| row.init_instructions.map_or_else(String::new, times)),
        ("response", |row| times(row.first_response_ms)),
        ("first CPU", |row| times(row.first_cpu_us)),
        ("warm p50", |row| times(row.warm_p50_us)),
        ("CPU", |row| times(row.warm_cpu_us)),
        ("instr", |row| row.warm_instructions.map_or_else(String::new, times)),
        ("zipped", |row| times(row.zipped_mb)),
    ];
    markdown(&RATIOS, rows)
}

/// A table whose columns are as wide as they have to be.
pub(crate) fn markdown<R, const N: usize>(columns: &[Column<R>; N], rows: &[R]) -> String {
    let mut lines = vec![columns.map(|(title, _)| title.to_owned())];
    lines.extend(rows.iter().map(|row| columns.map(|(_, cell)| cell(row))));
    let widths: [usize; N] =
        std::array::from_fn(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0));
    lines.insert(1, widths.map(|width| "-".repeat(width)));
    let line = |cells: &[String; N]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("|{}|\n", cells.collect::<Vec<_>>().join("|"))
    };
    lines.iter().map(line).collect()
}

/// A line for a function that is held to aims.
fn verdict(row: &Row) -> Option<String> {
    let missed = row.aims.iter().filter(|aim| !aim.is_met());
    let missed: Vec<_> = missed.map(|aim| format!("{} {:.2} > {}", aim.of, aim.is, aim.at_most)).collect();
    let (name, all) = (&row.name, row.aims.len());
    let met = all - missed.len();
    (all > 0).then(|| format!("{name}: meets {met} of {all} aims {}\n", missed.join(", ")).replace(" \n", "\n"))
}

fn of(figure: Figure, unit: f64) -> Figure {
    Figure { value: figure.value / unit, ..figure }
}

fn cell(Figure { value, ratio }: Figure, decimals: usize) -> String {
    format!("{value:.decimals$} {ratio:.1}×")
}

fn times(figure: Figure) -> String {
    format!("{:.2}", figure.ratio)
}
