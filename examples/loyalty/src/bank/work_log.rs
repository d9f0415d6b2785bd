use std::future::Future;

use indelible::prelude::*;

use super::Bank;
use super::database::on;
use crate::events::AwardRequested;

const LOG: &str = "
    insert into work_log (process, merchant_id, source_id, step, change)
    values ($1, $2, $3, $4, $5)";

/// The most awards of a merchant that any process worked on at the same time. A process that was killed
/// did not note the ends of its work, so each counts for itself. Nor did an award that a refund cut off
/// in the middle of a step, so that step does not count. Scans the log: a report.
const BUSIEST: &str = "
    select coalesce(max(awards), 0) from (
        select sum(change) over (partition by process, merchant_id order by id) as awards
        from work_log as work
        where change < 0
            or source_id not in (select source_id from refunds)
            or exists (
                select 1 from work_log as ended
                where ended.change < 0 and ended.process = work.process
                    and ended.source_id = work.source_id and ended.step = work.step)
    ) as log";

impl Bank {
    /// Does a step's work between two lines in the log.
    pub(super) async fn log_work<T>(
        &self,
        step: &'static str,
        award: &AwardRequested,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.log(step, award, 1).await?;
        tokio::time::sleep(self.answer_time).await;
        let done = work.await;
        self.log(step, award, -1).await?;
        done
    }

    async fn log(&self, step: &str, award: &AwardRequested, change: i32) -> sqlx::Result<()> {
        on!(self.database, pool => {
            sqlx::query(LOG)
                .bind(self.process)
                .bind(&award.merchant_id)
                .bind(&award.source_id)
                .bind(step)
                .bind(change)
                .execute(pool)
                .await
                .map(drop)
        })
    }

    /// The most awards of one merchant that were worked on at the same time, as the steps have logged it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn busiest(&self) -> sqlx::Result<i64> {
        on!(self.database, pool => sqlx::query_scalar(BUSIEST).fetch_one(pool).await)
    }
}
