//! Samples and their summaries: medians and percentiles, and ratios of what was measured side by side.

use serde::Serialize;

use crate::aims::Aim;
use crate::call_record::CallRecord;
use crate::instructions::Counted;

/// Samples of one quantity, in the order in which they were taken.
#[derive(Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    pub(crate) fn median(&self) -> f64 {
        self.percentile(50.0)
    }

    /// The nearest rank: a sample that is not exceeded by so many of a hundred.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "ranks are small"
    )]
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    /// The sums, pair by pair.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(mine, others)| mine + others).collect())
    }

    /// The median of the ratios, pair by pair: what the machine did to both of a pair is in neither.
    pub(crate) fn ratio_to(&self, other: &Self) -> f64 {
        Self(self.0.iter().zip(&other.0).map(|(mine, others)| mine / others).collect()).median()
    }
}

/// What was measured of one program beside the floor.
#[derive(Clone, Default)]
pub(crate) struct Measured {
    /// From the start of the process until it asked for an event.
    pub(crate) init_ms: Samples,
    /// From the start of the process until its first answer was in hand.
    pub(crate) first_response_ms: Samples,
    pub(crate) init_cpu_ms: Samples,
    pub(crate) first_ms: Samples,
    pub(crate) first_cpu_us: Samples,
    /// Of every warm request.
    pub(crate) warm_us: Samples,
    /// The median of each block of warm requests.
    pub(crate) block_us: Samples,
    /// Of a request, by block.
    pub(crate) warm_cpu_us: Samples,
    /// Of a warm request that comes after a pause.
    pub(crate) paced_cpu_us: Samples,
    pub(crate) peak_mib: Samples,
    pub(crate) binary_mb: f64,
    pub(crate) zipped_mb: f64,
    pub(crate) instructions: Option<Counted>,
}

/// Raw round trips, and a warm request as a multiple of the floor and them.
#[derive(Clone, Serialize)]
pub(crate) struct Trips {
    pub(crate) p50_us: f64,
    /// In how many steps, one after another.
    pub(crate) steps: usize,
    pub(crate) ratio: f64,
}

/// One figure, and how many times the floor's it is.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) ratio: f64,
}

/// One line of the table.
#[derive(Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) init_ms: Figure,
    pub(crate) first_response_ms: Figure,
    pub(crate) init_cpu_ms: Figure,
    pub(crate) first_ms: Figure,
    pub(crate) first_cpu_us: Figure,
    pub(crate) warm_p50_us: Figure,
    pub(crate) warm_p99_us: Figure,
    pub(crate) p99_over_p50: f64,
    pub(crate) warm_cpu_us: Figure,
    /// Processor time of the first request as a multiple of a warm one's.
    pub(crate) first_over_warm: f64,
    /// The same of a warm one's that comes after a pause, as the first does.
    pub(crate) first_over_paced: f64,
    pub(crate) peak_mib: Figure,
    pub(crate) binary_mb: Figure,
    pub(crate) zipped_mb: Figure,
    pub(crate) raw: Option<Trips>,
    /// In user space.
    pub(crate) init_instructions: Option<Figure>,
    pub(crate) warm_instructions: Option<Figure>,
    /// Of a warm request.
    pub(crate) record: Option<CallRecord>,
    /// Of an endpoint.
    pub(crate) aims: Vec<Aim>,
}

impl Measured {
    /// The line of this program; `floor` is what was measured in turn with it.
    pub(crate) fn row(&self, name: &str, floor: &Self) -> Row {
        let paired = |mine: &Samples, floors: &Samples| Figure { value: mine.median(), ratio: mine.ratio_to(floors) };
        let plain = |mine: f64, floors: f64| Figure { value: mine, ratio: mine / floors };
        let counted = |of: fn(&Counted) -> f64| {
            let (mine, floors) = (self.instructions.as_ref()?, floor.instructions.as_ref()?);
            Some(plain(of(mine), of(floors)))
        };
        Row {
            name: name.to_owned(),
            init_ms: paired(&self.init_ms, &floor.init_ms),
            first_response_ms: paired(&self.first_response_ms, &floor.first_response_ms),
            init_cpu_ms: paired(&self.init_cpu_ms, &floor.init_cpu_ms),
            first_ms: paired(&self.first_ms, &floor.first_ms),
            first_cpu_us: paired(&self.first_cpu_us, &floor.first_cpu_us),
            warm_p50_us: Figure { value: self.warm_us.median(), ratio: self.block_us.ratio_to(&floor.block_us) },
            warm_p99_us: plain(self.warm_us.percentile(99.0), floor.warm_us.percentile(99.0)),
            p99_over_p50: self.warm_us.percentile(99.0) / self.warm_us.median(),
            warm_cpu_us: paired(&self.warm_cpu_us, &floor.warm_cpu_us),
            first_over_warm: self.first_cpu_us.median() / self.warm_cpu_us.median(),
            first_over_paced: self.first_cpu_us.median() / self.paced_cpu_us.median(),
            peak_mib: paired(&self.peak_mib, &floor.peak_mib),
            binary_mb: plain(self.binary_mb, floor.binary_mb),
            zipped_mb: plain(self.zipped_mb, floor.zipped_mb),
            raw: None,
            init_instructions: counted(|counted| counted.init),
            warm_instructions: counted(|counted| counted.warm),
            record: None,
            aims: Vec::new(),
        }
    }

    /// Adds what was measured of the same program at another time.
    pub(crate) fn join(&mut self, other: &Self) {
        self.init_ms.extend(&other.init_ms);
        self.first_response_ms.extend(&other.first_response_ms);
        self.init_cpu_ms.extend(&other.init_cpu_ms);
        self.first_ms.extend(&other.first_ms);
        self.first_cpu_us.extend(&other.first_cpu_us);
        self.warm_us.extend(&other.warm_us);
        self.block_us.extend(&other.block_us);
        self.warm_cpu_us.extend(&other.warm_cpu_us);
        self.paced_cpu_us.extend(&other.paced_cpu_us);
        self.peak_mib.extend(&other.peak_mib);
        (self.binary_mb, self.zipped_mb) = (other.binary_mb, other.zipped_mb);
        self.instructions = self.instructions.or(other.instructions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_sample() {
        let samples = Samples(vec![5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(samples.median().to_bits(), 3.0_f64.to_bits());
        assert_eq!(samples.percentile(99.0).to_bits(), 5.0_f64.to_bits());
        assert_eq!(samples.percentile(1.0).to_bits(), 1.0_f64.to_bits());
        assert!(Samples::default().median().is_nan());
    }

    #[test]
    fn a_ratio_is_of_pairs_and_not_of_medians() {
        // The machine was ten times slower in the second pair, and the ratio does not see it.
        let (mine, floors) = (Samples(vec![3.0, 30.0, 2.0]), Samples(vec![1.0, 10.0, 2.0]));
        assert_eq!(mine.ratio_to(&floors).to_bits(), 3.0_f64.to_bits());
    }
}
