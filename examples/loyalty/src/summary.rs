//! What became of the awards, as a table: the same after an undisturbed run and after one that was killed
//! and started again.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use indelible::prelude::*;
use indelible::{Payload, RunQuery, RunRecord};
use loyalty::{Award, AwardRequested, Bank};

#[derive(Default)]
pub(crate) struct Summary {
    merchants: BTreeMap<String, Merchant>,
    /// Which purchase, and why there are no points for it.
    failures: BTreeMap<String, String>,
    wallets: usize,
    points: i64,
}

/// What became of the awards of one merchant.
#[derive(Default)]
struct Merchant {
    posted: u32,
    points: i64,
    /// Before the request, or after it and before the end.
    refunded: u32,
}

impl Summary {
    /// Asks the runtime for its runs, and the bank for its wallets.
    pub(crate) async fn gather(bank: &Bank, runtime: &Runtime) -> Result<Self, Failure> {
        let mut summary = Self::default();
        let mut query = RunQuery { limit: Some(500), ..RunQuery::default() };
        loop {
            let page = runtime.runs(&query).await?;
            let Some(last) = page.last() else { break };
            query.after = Some(last.id);
            for run in &page {
                summary.add(run)?;
            }
        }
        let wallets = bank.wallets().await?;
        summary.wallets = wallets.len();
        summary.points = wallets.iter().map(|(_, points)| points).sum();
        Ok(summary)
    }

    fn add(&mut self, run: &RunRecord) -> Result<(), Failure> {
        let request: AwardRequested = run.input.decode()?;
        if let Some(error) = &run.error {
            self.failures.insert(request.source_id, error.to_string());
            return Ok(());
        }
        let merchant = self.merchants.entry(request.merchant_id).or_default();
        let output = run.output.as_ref().map(Payload::decode);
        match output.transpose()? {
            Some(Award::Posted { points }) => {
                merchant.posted += 1;
                merchant.points += points;
            }
            // A cancelled run has no output.
            Some(Award::Refunded) | None => merchant.refunded += 1,
        }
        Ok(())
    }
}

fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(columns);
    table
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut awards = table(&["merchant", "awards", "points", "refunded"]);
        for (id, Merchant { posted, points, refunded }) in &self.merchants {
            awards.add_row([id, &posted.to_string(), &points.to_string(), &refunded.to_string()]);
        }
        for column in awards.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "{awards}")?;
        if !self.failures.is_empty() {
            let mut failures = table(&["failed", "reason"]);
            for failure in &self.failures {
                failures.add_row([failure.0, failure.1]);
            }
            writeln!(f, "{failures}")?;
        }
        writeln!(f, "points in {} wallets: {}", self.wallets, self.points)
    }
}
