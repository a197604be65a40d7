//! The results: a table for people, a JSON file for machines. A budget leads to a verdict, never to a failure.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::process;

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// The measured action.
    pub bench: String,
    /// The measured quantity.
    pub name: String,
    /// The value, in [`Self::unit`].
    pub value: f64,
    /// The unit of the value and the budget.
    pub unit: &'static str,
    /// The highest good value; absent if the figure only informs.
    pub budget: Option<f64>,
    /// Whether the value is within its budget.
    pub within: Option<bool>,
}

/// All figures of a run.
#[derive(Debug, Default, Serialize)]
pub struct Table {
    /// The machine of the run.
    pub machine: String,
    /// The figures in the order of measurement.
    pub figures: Vec<Figure>,
}

impl Table {
    /// Makes an empty table with a description of this machine.
    #[must_use]
    pub fn new() -> Self {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map_or("unknown processor", |rest| {
                rest.trim_start_matches([' ', '\t', ':'])
            });
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self {
            machine: format!("{cores} × {model}, {:.1} GB", process::machine_mb() / 1e3),
            figures: Vec::new(),
        }
    }

    /// Adds a figure that only informs.
    pub fn note(&mut self, bench: &str, name: &str, value: f64, unit: &'static str) {
        self.add(bench, name, value, unit, None);
    }

    /// Adds a figure with its highest good value.
    pub fn budget(&mut self, bench: &str, name: &str, value: f64, unit: &'static str, most: f64) {
        self.add(bench, name, value, unit, Some(most));
    }

    fn add(
        &mut self,
        bench: &str,
        name: &str,
        value: f64,
        unit: &'static str,
        budget: Option<f64>,
    ) {
        let figure = Figure {
            bench: bench.to_owned(),
            name: name.to_owned(),
            value,
            unit,
            budget,
            within: budget.map(|most| value <= most),
        };
        eprintln!("  {}", line(&figure));
        self.figures.push(figure);
    }

    /// Returns the number of figures over their budget.
    #[must_use]
    pub fn over(&self) -> usize {
        let over = |figure: &&Figure| figure.within == Some(false);
        self.figures.iter().filter(over).count()
    }

    /// Returns the table for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.machine);
        let mut bench = "";
        for figure in &self.figures {
            if figure.bench != bench {
                bench = &figure.bench;
                let _ = writeln!(text, "\n{bench}");
            }
            let _ = writeln!(text, "  {}", line(figure));
        }
        text
    }

    /// Writes the JSON file.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        std::fs::write(path, json)
    }
}

fn line(figure: &Figure) -> String {
    let number = |value: f64| {
        if value >= 1_000.0 || value.fract() == 0.0 {
            format!("{value:.0}")
        } else {
            format!("{value:.2}")
        }
    };
    let mut line = format!(
        "{:<58} {:>12} {:<12}",
        figure.name,
        number(figure.value),
        figure.unit
    );
    if let (Some(budget), Some(within)) = (figure.budget, figure.within) {
        let verdict = if within { "within" } else { "OVER" };
        let _ = write!(line, "{verdict:<7} budget {}", number(budget));
    }
    line.trim_end().to_owned()
}

/// Returns the median and the 99th percentile.
#[must_use]
pub(super) fn percentiles(samples: &mut [f64]) -> (f64, f64) {
    (at_share(samples, 50), at_share(samples, 99))
}

/// Returns the sample at this percentile; 100 returns the largest.
#[must_use]
pub(super) fn at_share(samples: &mut [f64], share: usize) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[(samples.len() - 1) * share / 100]
}
