//! What workers do: claims, steps and flushes.

use super::*;

impl Batch {
    /// The runs that can be claimed, in order.
    pub(super) fn free(&self) -> Vec<(i64, RunId, usize)> {
        let live = self.live.iter().enumerate().filter(|(_, live)| !live.over);
        let runs = live.flat_map(|(place, live)| {
            let runs = live.model.runs.iter().filter(|(_, run)| run.place == Place::Free);
            runs.map(move |(id, run)| (run.rank, *id, place))
        });
        let mut free: Vec<_> = runs.collect();
        free.sort_unstable();
        free
    }

    pub(super) async fn claim(&mut self, worker: usize) -> Outcome<bool> {
        let limit = self.faults.claim_limit();
        let mut expected = self.free();
        expected.truncate(limit);
        let claimed = self.claim_up_to(worker, limit).await;
        // On Postgres, what comes in below others that were claimed may be claimed after them.
        let whole = claimed.len() < limit || matches!(self.clock, StoppedClock::Sqlite);
        if whole {
            self.compare(&claimed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), &expected)?;
        }
        let unanswered = !claimed.is_empty() && self.faults.claim_is_unanswered();
        let any = !claimed.is_empty();
        for (id, held) in claimed {
            let place = self.task(id).place;
            self.live[place].model.claimed(id);
            if unanswered {
                self.live[place].model.lost(id);
            } else {
                self.workers[worker].runs.insert(id, held);
            }
        }
        if unanswered {
            let Life { id, runs } = &self.workers[worker];
            let driven: Vec<_> = runs.keys().copied().collect();
            self.store.disown_runs(*id, &driven).await.expect("it is disowned");
        }
        Ok(any)
    }

    pub(super) async fn claim_up_to(&self, worker: usize, limit: usize) -> Vec<(RunId, Held)> {
        let (worker, workflows) = (self.workers[worker].id, driven());
        let claim = Claim { worker, app: APP, workflows: &workflows, cohort: 0, limit };
        let claimed = self.store.claim_runs(claim).await.expect("a live worker can claim");
        let held = claimed.runs.into_iter().map(|run| {
            let lines = run.origin.journal.len();
            (run.origin.trigger.run, Held { lines, inbox: run.inbox })
        });
        held.collect()
    }

    pub(super) async fn claim_all(&mut self, worker: usize) -> Outcome<()> {
        let claimed = self.claim_up_to(worker, 100_000).await;
        self.compare(&claimed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), &self.free())
    }

    pub(super) fn compare(&self, found: &[RunId], expected: &[(i64, RunId, usize)]) -> Outcome<()> {
        let there: BTreeSet<_> = found.iter().collect();
        for (_, id, place) in expected {
            if !there.contains(id) {
                return Err(
                    self.failure(*place, format!("run {} may begin, but cannot", short(*id)))
                );
            }
        }
        for (nth, id) in found.iter().enumerate() {
            let place = self.tasks.get(id).map(|task| task.place);
            let place = place.or_else(|| {
                let owns = |live: &Live| live.model.runs.contains_key(id);
                self.live.iter().position(owns)
            });
            let place = place.expect("it is of some case");
            match expected.get(nth) {
                Some((_, due, _)) if due == id => {}
                Some(_) if expected.iter().any(|(_, other, _)| other == id) => {
                    return Err(self.failure(place, format!("run {} is out of order", short(*id))));
                }
                _ => return Err(self.failure(place, format!("run {} may not begin", short(*id)))),
            }
        }
        Ok(())
    }

    /// What a run has to do.
    pub(super) fn task(&mut self, run: RunId) -> &mut Task {
        if !self.tasks.contains_key(&run) {
            let owns = |live: &Live| live.model.runs.contains_key(&run);
            let place = self.live.iter().position(owns).expect("it is of some case");
            let case = &self.live[place].case;
            let numbers = case.deeds.iter().filter_map(|(_, deed)| match deed {
                Deed::Send(sent) | Deed::Start(sent) => Some(sent),
                _ => None,
            });
            let sent = numbers.into_iter().find(|sent| case.run(sent.no) == run);
            let sent = sent.expect("children are known").clone();
            self.tasks.insert(run, Task::of(place, &sent, &sent.script));
        }
        self.tasks.get_mut(&run).expect("it is there")
    }

    /// When a run that is held goes on by itself.
    pub(super) fn due(&self, run: RunId) -> Option<Timestamp> {
        let task = &self.tasks[&run];
        if let Some(undoing) = task.undoing {
            return Some(undoing + seconds(task.undo));
        }
        let (line, began) = task.began?;
        match task.lines.get(line) {
            Some(Line::Work(long)) => Some(began + seconds(*long)),
            _ => None,
        }
    }

    pub(super) async fn tell(&mut self, worker: usize) -> bool {
        let life = &mut self.workers[worker];
        if life.runs.is_empty() {
            return false;
        }
        let mut any = false;
        for (run, message) in self.store.messages(life.id).await.expect("the store answers") {
            let held = life.runs.get_mut(&run).expect("it drives what it holds");
            if held.inbox.iter().all(|known| known.id != message.id) {
                held.inbox.push(message);
                any = true;
            }
        }
        any
    }

    pub(super) async fn drive(&mut self, worker: usize) -> Outcome<bool> {
        let held: Vec<_> = self.workers[worker].runs.keys().copied().collect();
        let mut batch = Vec::new();
        for run in held {
            batch.extend(self.commit_of(worker, run));
        }
        let progress = !batch.is_empty();
        while !batch.is_empty() {
            let size = self.faults.part_of(batch.len());
            let rest = batch.split_off(size);
            if !self.flush(worker, &batch).await {
                break;
            }
            batch = rest;
        }
        Ok(progress)
    }

    /// What a run commits now, if it does.
    pub(super) fn commit_of(&mut self, worker: usize, run: RunId) -> Option<RunCommit> {
        let now = self.now;
        let Held { lines, inbox } = &self.workers[worker].runs[&run];
        let (lines, inbox) = (*lines, inbox.clone());
        let is_cancelled =
            inbox.iter().any(|message| matches!(message.content, Content::Cancel { .. }));
        let ended =
            inbox.iter().filter(|message| matches!(message.content, Content::ChildEnded { .. }));
        let heard: Vec<_> = ended.map(|message| message.id).collect();
        self.task(run);
        let task = self.tasks.get_mut(&run).expect("it is there");
        let Live { case, model, .. } = &self.live[task.place];
        let mut commit =
            RunCommit { first_seq: lines as u32 + 1, ..RunCommit::of(run, Then::Continue) };
        commit.taken = heard.clone();
        if is_cancelled {
            let undoing = *task.undoing.get_or_insert(now);
            let undo = match model.runs[&run].cancelled {
                Some(Undoes::Something) => task.undo,
                _ => 0,
            };
            commit.then = Then::End(End::Cancelled("it is cancelled".to_owned()));
            return (undoing + seconds(undo) <= now).then_some(commit);
        }
        let began = match task.began {
            Some((line, began)) if line == lines => began,
            _ => now,
        };
        task.began = Some((lines, began));
        let done = |kind| {
            let outcome = Payload::stored("null");
            let change = Change::Succeed { attempt: 1, outcome, events: Vec::new(), undo: false };
            Entry { key: key(lines), kind, change, started_at: None }
        };
        match task.lines.get(lines) {
            Some(Line::Work(long)) if now < began + seconds(*long) => return None,
            Some(Line::Work(_)) => commit.entries.push(done(StepKind::Run)),
            Some(Line::Sleep(long)) => {
                commit.entries.push(done(StepKind::Sleep));
                commit.then = Then::Park(Some(now + seconds(*long)));
            }
            Some(Line::Invoke { detached, .. }) => {
                let sent = &task.sent;
                let child = Child {
                    id: case.child(run, lines as u32),
                    workflow: WORKFLOWS[sent.flow],
                    input: data(case, sent.no),
                    seed: Uuid::nil(),
                    detached: *detached,
                    cancels: Vec::new(),
                    gates: gates(&model.flows[sent.flow], sent),
                    ahead: sent.ahead,
                };
                let change = Change::Invoke { child, timeout: None };
                let kind = StepKind::Invoke;
                commit.entries.push(Entry { key: key(lines), kind, change, started_at: None });
                if !detached {
                    commit.then = Then::Park(None);
                }
            }
            Some(Line::Await) if heard.is_empty() => commit.then = Then::Park(None),
            Some(Line::Await) => commit.entries.push(done(StepKind::Invoke)),
            None if task.fails => {
                let error = ErrorRecord::new(ErrorKind::Error, "it fails");
                commit.then = Then::End(End::Failed(error));
            }
            None => commit.then = Then::End(End::Completed(Payload::stored("null"))),
        }
        Some(commit)
    }

    /// Commits, or fails to; whether the worker lives on.
    pub(super) async fn flush(&mut self, worker: usize, batch: &[RunCommit]) -> bool {
        let (id, commit) = (self.workers[worker].id, Uuid::now_v7());
        let fault = self.faults.of_flush();
        let lost = matches!(fault, Some(Fault::Killed | Fault::Torn | Fault::Late | Fault::Leaves));
        if !lost {
            let flushed = self.store.flush_commits(id, commit, batch).await;
            let flushed = flushed.expect("a live worker can commit");
            assert!(flushed.evicted.is_empty(), "{:?} are ours", flushed.evicted);
            self.committed(worker, batch);
        }
        match fault {
            None | Some(Fault::UnansweredAndLost) => return true,
            Some(Fault::Unanswered) => {
                let landed = self.store.landed_commits(commit, batch).await;
                let landed = landed.expect("the store answers").is_some();
                assert!(landed || batch.iter().all(RunCommit::is_traceless), "it has landed");
                return true;
            }
            Some(Fault::SentTwice) => {
                let again = self.store.flush_commits(id, commit, batch).await;
                again.expect("it may come again");
                return true;
            }
            Some(Fault::Leaves) => self.store.end_lease(id).await.expect("it can leave"),
            Some(Fault::Killed | Fault::Torn | Fault::Late | Fault::KilledBehind) => {
                self.database.end_process(id);
                while self.store.renewals().renew(id, Duration::ZERO).await.is_ok() {
                    self.store.take_over_runs(&judge).await.expect("the store answers");
                }
            }
        }
        if fault == Some(Fault::Late) {
            let late = self.store.flush_commits(id, commit, batch).await;
            assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
        }
        let next = self.join().await;
        let life = &mut self.workers[worker];
        life.id = next;
        for run in std::mem::take(&mut life.runs).into_keys() {
            let place = self.tasks[&run].place;
            self.live[place].model.lost(run);
        }
        false
    }

    /// Tells the models.
    pub(super) fn committed(&mut self, worker: usize, batch: &[RunCommit]) {
        for RunCommit { run, entries, then, taken, .. } in batch {
            let place = self.tasks[run].place;
            let sent = self.tasks[run].sent.clone();
            let lines = self.workers[worker].runs[run].lines;
            let Live { model, .. } = &mut self.live[place];
            if !taken.is_empty() {
                model.heard(*run);
            }
            for entry in entries {
                let Change::Invoke { child, .. } = &entry.change else { continue };
                model.invoked(*run, child.id, &sent, child.detached, self.now);
                let Some(Line::Invoke { script, .. }) = self.tasks[run].lines.get(lines) else {
                    unreachable!("it invokes nothing")
                };
                let task = Task::of(place, &sent, &script.clone());
                self.tasks.insert(child.id, task);
            }
            let status = match then {
                Then::End(End::Completed(_)) => Some(RunStatus::Completed),
                Then::End(End::Failed(_)) => Some(RunStatus::Failed),
                Then::End(End::Cancelled(_)) => Some(RunStatus::Cancelled),
                _ => None,
            };
            if let Some(status) = status {
                model.ended(*run, status, self.now);
            }
            if let Then::Park(until) = then {
                model.parked(*run, *until);
            }
            let runs = &mut self.workers[worker].runs;
            match then {
                Then::Continue => {
                    let held = runs.get_mut(run).expect("it is driven");
                    held.lines += entries.len();
                    held.inbox.retain(|message| !taken.contains(&message.id));
                }
                _ => drop(runs.remove(run)),
            }
        }
    }

    pub(super) async fn join(&self) -> WorkerId {
        const LEASE: Duration = Duration::from_secs(1_000_000_000);
        let id = WorkerId::new();
        let worker = Worker {
            id,
            app: APP.to_owned(),
            host: "simulated".to_owned(),
            pid: 1,
            drives: driven().into(),
            registration: Arc::new(self.registration()),
        };
        self.store.begin_lease(&worker, LEASE).await.expect("a worker can join");
        id
    }
}

fn key(line: usize) -> StateKey {
    format!("line-{line}").into()
}

/// Nothing is held against runs here: crashes are the tests' own.
fn judge(orphans: &[Orphan]) -> Vec<Standing> {
    orphans.iter().map(|_| Standing::default()).collect()
}
