-- What no test may leave behind, one question each: how many there are. `{runs}` and the like are the
-- store's tables. Their ballast on Postgres does not count. The questions up to `at rest` hold whenever nobody
-- is in the middle of something.

-- slots of runs that are over
SELECT count(*) FROM {slots} slot LEFT JOIN {runs} run ON run.id = slot.run_id
WHERE slot.app <> '' AND (run.id IS NULL OR run.ended_at IS NOT NULL);

-- runs that are ready and over
SELECT count(*) FROM {ready} ready LEFT JOIN {runs} run ON run.id = ready.run_id
WHERE ready.app <> '' AND (run.id IS NULL OR run.ended_at IS NOT NULL);

-- runs that are ready and driven
SELECT count(*) FROM {ready} ready JOIN {runs} run ON run.id = ready.run_id
WHERE run.worker IS NOT NULL;

-- queued runs that nobody will ever claim
SELECT count(*) FROM {runs} run
WHERE run.status = 'queued'
  AND NOT EXISTS (SELECT 1 FROM {ready} ready WHERE ready.run_id = run.id)
  AND NOT EXISTS (
      SELECT 1 FROM {slots} slot WHERE slot.run_id = run.id AND slot.state = 'waits'
  );

-- runs that are driven by nobody who is known
SELECT count(*) FROM {runs} run
WHERE run.worker IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM {workers} worker WHERE worker.id = run.worker);

-- waits of runs that are over
SELECT count(*) FROM {waits} wait LEFT JOIN {runs} run ON run.id = wait.run_id
WHERE wait.app <> '' AND (run.id IS NULL OR run.ended_at IS NOT NULL);

-- timers of runs that are over
SELECT count(*) FROM {timers} timer LEFT JOIN {runs} run ON run.id = timer.run_id
WHERE timer.due_at < 'infinity' AND (run.id IS NULL OR run.ended_at IS NOT NULL);

-- batches without events
SELECT count(*) FROM {batches} batch WHERE NOT EXISTS (
    SELECT 1 FROM {batched} event
    WHERE event.app = batch.app AND event.workflow = batch.workflow AND event.key = batch.key
);

-- events that no batch has
SELECT count(*) FROM {batched} event WHERE NOT EXISTS (
    SELECT 1 FROM {batches} batch
    WHERE event.app = batch.app AND event.workflow = batch.workflow AND event.key = batch.key
);

-- at rest

-- messages to runs that are over
SELECT count(*) FROM {inbox} message JOIN {runs} run ON run.id = message.run_id
WHERE NOT message.taken AND run.ended_at IS NOT NULL;

-- gates that nobody has opened
SELECT count(*) FROM {openings};

-- events that nobody has routed
SELECT count(*) FROM {deliveries};

-- batches that nobody has completed
SELECT count(*) FROM {batches};
