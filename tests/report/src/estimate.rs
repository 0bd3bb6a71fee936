//! Measured values with their confidence intervals.

use std::fmt;

/// A value and the interval in which the truth is with some confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// What was measured.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Two-sided confidence by the quantile of the normal distribution.
#[derive(Clone, Copy, Debug)]
pub enum Confidence {
    /// 95 %: what pages show.
    Shown,
    /// 99.9 %: what a check goes by, since a page has dozens of values.
    Checked,
}

impl Confidence {
    fn normal(self) -> f64 {
        match self {
            Self::Shown => 1.959_964,
            Self::Checked => 3.290_527,
        }
    }

    /// Quantile of Student's t distribution (Cornish and Fisher's expansion, within 1 % from 5 degrees on).
    fn student(self, degrees: f64) -> f64 {
        let z = self.normal();
        let (one, two, three) = (
            (z.powi(3) + z) / 4.0,
            (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
            (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
        );
        z + one / degrees + two / degrees.powi(2) + three / degrees.powi(3)
    }
}

impl Estimate {
    /// A probability from independent trials: Wilson's interval (1927), which is right for few successes, too.
    pub fn of_trials(done: u64, tried: u64, confidence: Confidence) -> Self {
        if tried == 0 {
            return Self { value: 0.0, low: 0.0, high: 1.0 };
        }
        let (n, z) = (tried as f64, confidence.normal());
        let value = done as f64 / n;
        let centre = (value + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (value * (1.0 - value) / n + z * z / (4.0 * n * n)).sqrt();
        Self { value, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
    }

    /// How many events are to be expected where so many came, which do not depend on each other (Poisson): the values that this count
    /// is at most the quantile away from (the score interval).
    pub fn of_count(count: u64, confidence: Confidence) -> Self {
        let (value, z) = (count as f64, confidence.normal());
        let (centre, half) = (value + z * z / 2.0, z * (value + z * z / 4.0).sqrt());
        Self { value, low: (centre - half).max(0.0), high: centre + half }
    }

    /// A mean from independent histories: Student's interval.
    pub fn of_mean(values: &[f64], confidence: Confidence) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n.max(1.0);
        if values.len() < 2 {
            return Self { value: mean, low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let half = confidence.student(n - 1.0) * (variance / n).sqrt();
        Self { value: mean, low: mean - half, high: mean + half }
    }

    /// Whether a value may be the truth.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The same in other units.
    pub fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, low: self.low * factor, high: self.high * factor }
    }

    /// With so many digits behind the point.
    pub fn show(&self, digits: usize) -> String {
        format!("{:.digits$} [{:.digits$}, {:.digits$}]", self.value, self.low, self.high)
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_the_published_one() {
        // Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20.
        for (done, tried, low, high) in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)] {
            let estimate = Estimate::of_trials(done, tried, Confidence::Shown);
            assert!((estimate.low - low).abs() < 1e-4 && (estimate.high - high).abs() < 1e-4, "{estimate}");
        }
    }

    #[test]
    fn a_count_is_as_far_from_the_ends_of_its_interval_as_the_quantile_says() {
        for count in [1, 10, 400] {
            let estimate = Estimate::of_count(count, Confidence::Shown);
            for end in [estimate.low, estimate.high] {
                assert!(((end - estimate.value).abs() / end.sqrt() - 1.959_964).abs() < 1e-9, "{estimate}");
            }
        }
        let none = Estimate::of_count(0, Confidence::Shown);
        assert!(none.low.abs() < 1e-9 && (none.high - 3.841_459).abs() < 1e-5, "{none}");
    }

    #[test]
    fn students_quantiles_are_the_tables() {
        for (degrees, value) in [(5.0, 2.571), (7.0, 2.365), (11.0, 2.201), (30.0, 2.042)] {
            let got = Confidence::Shown.student(degrees);
            assert!((got / value - 1.0).abs() < 0.01, "{got}, {value}");
        }
    }

    #[test]
    fn a_mean_lies_in_the_middle_of_its_interval() {
        let estimate = Estimate::of_mean(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], Confidence::Shown);
        assert!((estimate.value - 3.5).abs() < 1e-9 && estimate.holds(3.0) && !estimate.holds(6.0));
        assert!((estimate.high - 3.5 - (3.5 - estimate.low)).abs() < 1e-9);
    }
}
