//! What was measured, in rows: as a table for people, and as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};

use serde::Serialize;

use crate::sandbox::CallRecord;
use crate::{Result, note};

/// A quantity; its name is that of its column too. `docs/benchmark.md` says what each is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    InitMs,
    InitCpuMs,
    FirstResponseMs,
    FirstCpuUs,
    PacedCpuUs,
    FirstOverPaced,
    WarmP50Us,
    WarmP99Us,
    WarmCpuUs,
    RawUs,
    WarmOverRaw,
    PeakMib,
    ZippedMb,
    ServedPerS,
}

#[derive(Clone, Default)]
pub(crate) struct Measured(BTreeMap<Metric, Vec<f64>>);

/// A median, and the medians of its ratios to what was measured in turn with it.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    /// To the floor; in a comparison to the other side.
    ratio: f64,
    to_peer: Option<f64>,
}

#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) figures: BTreeMap<Metric, Figure>,
    pub(crate) record: Option<CallRecord>,
    missed_targets: Vec<String>,
}

pub(crate) fn median(samples: &[f64]) -> f64 {
    percentile(samples, 50)
}

/// By nearest rank: a sample that so many of a hundred do not exceed. Not a number where there is no sample.
pub(crate) fn percentile(samples: &[f64], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent * sorted.len()).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// The median of the ratios, pair by pair: other load on the machine affects both of a pair.
pub(crate) fn ratio(samples: &[f64], others: &[f64]) -> f64 {
    median(&samples.iter().zip(others).map(|(mine, other)| mine / other).collect::<Vec<_>>())
}

impl Measured {
    pub(crate) fn add(&mut self, metric: Metric, sample: f64) {
        self.0.entry(metric).or_default().push(sample);
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        for (metric, samples) in &other.0 {
            self.0.entry(*metric).or_default().extend(samples);
        }
    }

    pub(crate) fn of(&self, metric: Metric) -> &[f64] {
        self.0.get(&metric).map_or(&[], Vec::as_slice)
    }

    /// The row of this program; `floor` and `peer` were measured in turn with it.
    pub(crate) fn row(&self, name: &str, floor: &Self, peer: Option<&Self>, record: Option<CallRecord>) -> Row {
        let figure = |(metric, samples): (&Metric, &Vec<f64>)| {
            let to_peer = peer.map(|peer| ratio(samples, peer.of(*metric)));
            (*metric, Figure { value: median(samples), ratio: ratio(samples, floor.of(*metric)), to_peer })
        };
        let figures = self.0.iter().map(figure).collect();
        Row { name: name.to_owned(), figures, record, missed_targets: Vec::new() }
    }
}

impl Row {
    /// Compares with the targets; with a part of a core, with those that it leaves alone. The floor opens no connection by TLS.
    pub(crate) fn hold(&mut self, is_tls: bool, is_held_back: bool) {
        let figure = |metric| self.figures.get(&metric);
        let value = |metric| figure(metric).map(|figure| figure.value);
        let ratio = |metric| figure(metric).map(|figure| figure.ratio);
        let to_peer = |metric| figure(metric).and_then(|figure| figure.to_peer);
        let response = if is_tls { 3.3 } else { 2.4 };
        let sizes = [
            ("peak MiB", value(Metric::PeakMib), 9.5),
            ("zipped MB", value(Metric::ZippedMb), 3.8),
            ("zipped to the peer's", to_peer(Metric::ZippedMb), 0.5),
        ];
        let times = [
            ("init", ratio(Metric::InitMs).filter(|_| !is_tls), 2.0),
            ("first response", ratio(Metric::FirstResponseMs), response),
            ("first response to the peer's", to_peer(Metric::FirstResponseMs), 0.55),
            ("first CPU after a pause", value(Metric::FirstOverPaced), 1.2),
            ("warm over floor and raw", value(Metric::WarmOverRaw), 1.5),
            ("warm CPU to the peer's", to_peer(Metric::WarmCpuUs), 0.7),
        ];
        let all = sizes.into_iter().chain(times.into_iter().filter(|_| !is_held_back));
        // What is not a number is missed.
        let missed = all.filter_map(|(of, is, most)| Some((of, is.filter(|is| is.is_nan() || *is > most)?, most)));
        self.missed_targets = missed.map(|(of, is, most)| format!("{of} {is:.2} > {most}")).collect();
    }
}

/// The figures of rows as a table in Markdown, then the targets that are missed.
pub(crate) fn text<'a>(rows: impl IntoIterator<Item = &'a Row> + Clone) -> String {
    let metrics: BTreeSet<_> = rows.clone().into_iter().flat_map(|row| row.figures.keys().copied()).collect();
    let titles = metrics.iter().map(|metric| format!(" {metric:?} |"));
    let mut text = format!("| function | steps, units |{}\n", titles.collect::<String>());
    text.extend([format!("| --- | --- |{}\n", " --- |".repeat(metrics.len()))]);
    let mut missed = String::new();
    for Row { name, figures, record, missed_targets } in rows {
        let spent = |CallRecord { spent, .. }| format!("{}, {} + {}", spent.steps, spent.read_units, spent.write_units);
        text.extend([format!("| {name} | {} |", record.map_or_else(String::new, spent))]);
        for metric in &metrics {
            if let Some(Figure { value, ratio, to_peer }) = figures.get(metric) {
                text.extend([format!(" {:.*}", if *value >= 100.0 { 0 } else { 2 }, value)]);
                let ratios = [(Some(*ratio), '×'), (*to_peer, 'p')].into_iter();
                let known = ratios.filter_map(|(ratio, sign)| Some((ratio.filter(|ratio| !ratio.is_nan())?, sign)));
                text.extend(known.map(|(ratio, sign)| format!(" {ratio:.2}{sign}")));
            }
            text += " |";
        }
        text += "\n";
        if !missed_targets.is_empty() {
            missed.extend([format!("{name} misses: {}\n", missed_targets.join(", "))]);
        }
    }
    text + &missed
}

/// Prints a report for people, and writes it into `logs` for programs.
pub(crate) fn publish(file: &str, text: &str, report: &impl Serialize) -> Result<()> {
    writeln!(io::stdout(), "{text}")?;
    fs::create_dir_all("logs")?;
    fs::write(format!("logs/{file}"), serde_json::to_vec_pretty(report)?)?;
    note(format_args!("The same as JSON: logs/{file}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_sample_and_a_ratio_is_of_pairs() {
        let samples = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!([50, 99, 1].map(|percent| percentile(&samples, percent).to_string()), ["3", "5", "1"]);
        assert!(median(&[]).is_nan());
        assert_eq!(ratio(&[3.0, 30.0, 2.0], &[1.0, 10.0, 2.0]).to_string(), "3");
    }
}
