//! What the world does: events, deploys, operators; and what is left at the end.

use super::*;

impl Batch {
    pub(super) fn registration(&self) -> Registration {
        let limits = self.live.iter().flat_map(|live| &live.model.declared);
        let limits =
            limits.map(|(limit, allows)| Declared { limit: limit.clone(), allows: *allows });
        Registration {
            app: APP.to_owned(),
            workflows: WORKFLOWS.map(str::to_owned).into(),
            subscriptions: vec![Subscription::whole(SENT)],
            schedules: Vec::new(),
            limits: limits.collect(),
            schemas: Vec::new(),
        }
    }

    pub(super) async fn register(&self) {
        self.store.register_app(&self.registration()).await.expect("an app can register");
    }

    pub(super) async fn deeds(&mut self) -> Outcome<()> {
        if self.now == second(RESCUE) {
            self.rescue().await;
        }
        // Those of all cases come together, before all else or after it, as each declares the limits of all.
        let declares_first = self.random.percent(50);
        self.deeds_of(declares_first).await?;
        self.deeds_of(!declares_first).await
    }

    async fn deeds_of(&mut self, declares: bool) -> Outcome<()> {
        let mut queues: Vec<VecDeque<Deed>> = self
            .live
            .iter()
            .map(|Live { case, .. }| {
                let now = case.deeds.iter().filter(|(at, deed)| {
                    second(*at) == self.now && matches!(deed, Deed::Declare(..)) == declares
                });
                now.map(|(_, deed)| deed.clone()).collect()
            })
            .collect();
        loop {
            let next = queues.iter_mut().enumerate();
            let next: Vec<_> =
                next.filter_map(|(place, queue)| Some((place, queue.pop_front()?))).collect();
            if next.is_empty() {
                return Ok(());
            }
            self.perform(next).await?;
            if self.random.percent(50) {
                let acts = self.acts();
                let some = self.random.below(acts.len() as u64) as usize;
                for act in &acts[..some] {
                    self.act(*act).await?;
                }
            }
        }
    }

    pub(super) async fn perform(&mut self, deeds: Vec<(usize, Deed)>) -> Outcome<()> {
        let (mut events, mut runs, mut cancelled) = (Vec::new(), Vec::new(), Vec::new());
        let mut declares = false;
        for (place, deed) in deeds {
            let Live { case, model, .. } = &mut self.live[place];
            model.change(&deed, self.now);
            match deed {
                Deed::Send(sent) => {
                    model.note(self.now, format_args!("event {} comes", sent.no));
                    let id = case.id(sent.no, 2).into();
                    let data = data(case, sent.no);
                    let name = SENT.to_owned();
                    events.push(NewEvent {
                        id,
                        name,
                        data,
                        idempotency_key: None,
                        due: None,
                        trace: None,
                        hosted: None,
                    });
                    self.unrouted.push_back((place, sent.no, self.now));
                }
                Deed::Start(sent) => {
                    runs.push(new_run(case, &model.flows[sent.flow], &sent));
                    model.start(case, &sent, self.now);
                }
                Deed::Cancel(no) => {
                    let run = case.run(no);
                    model.cancel(run, self.now);
                    cancelled.push(run);
                }
                Deed::Declare(..) => {
                    model.note(self.now, format_args!("{deed:?}"));
                    declares = true;
                }
                Deed::Rekey { .. } | Deed::Regather { .. } => {
                    model.note(self.now, format_args!("{deed:?}"));
                }
                Deed::Set(ref name, allows) => {
                    model.note(self.now, format_args!("{deed:?}"));
                    self.set(name, Some(allows)).await;
                }
                Deed::Reset(ref name) => {
                    model.note(self.now, format_args!("{deed:?}"));
                    self.set(name, None).await;
                }
            }
        }
        if declares {
            self.register().await;
        }
        if !runs.is_empty() {
            self.store.start_runs(APP, &runs).await.expect("they start");
        }
        if !cancelled.is_empty() {
            let cancelled = self.store.cancel_runs(&cancelled, "no longer wanted").await;
            cancelled.expect("the store answers");
        }
        if !events.is_empty() {
            self.store.accept_events(None, &events).await.expect("they are accepted");
        }
        Ok(())
    }

    pub(super) async fn set(&self, limit: &str, allows: Option<Allowance>) {
        let set = self.store.set_limit(APP, limit, allows.as_ref(), "an operator").await;
        set.expect("the store answers").expect("it is a limit of this kind");
    }

    /// Lets everybody through: a limit of zero, and keys that change while runs wait for their children,
    /// may keep runs waiting for ever.
    pub(super) async fn rescue(&mut self) {
        for place in
            (0..self.live.len()).filter(|place| !self.live[*place].over).collect::<Vec<_>>()
        {
            let names: Vec<_> = self.live[place].model.declared.keys().cloned().collect();
            for name in names {
                let deed = match self.live[place].model.declared[&name] {
                    Allowance::Slots(_) if !name.ends_with("singleton") => {
                        Deed::Set(name.clone(), Allowance::Slots(1_000))
                    }
                    Allowance::Pace { per, .. } => {
                        Deed::Set(name.clone(), Allowance::Pace { limit: 60, per, burst: 0 })
                    }
                    _ => continue,
                };
                let Deed::Set(_, allows) = &deed else { unreachable!("it is one") };
                self.set(&name, Some(*allows)).await;
                self.live[place].model.change(&deed, self.now);
            }
        }
    }

    /// Everything is over, as the models say, and nothing is left of it.
    pub(super) async fn check_end(&mut self) -> Outcome<()> {
        let runs = self.runs().await;
        for place in 0..self.live.len() {
            for (id, run) in &self.live[place].model.runs {
                let found = runs.get(id).map(|(_, status)| *status);
                let Place::Over(expected) = run.place else {
                    let what = format!("run {} is never over: {:?}", short(*id), run);
                    return Err(self.failure(place, what));
                };
                if found != Some(expected) {
                    let id = short(*id);
                    let what = format!("run {id} is {expected}, and stored as {found:?}");
                    return Err(self.failure(place, what));
                }
            }
        }
        let expected: usize = self.live.iter().map(|live| live.model.runs.len()).sum();
        assert_eq!(runs.len(), expected, "there are no other runs");
        let skipped: usize = self.live.iter().map(|live| live.model.skipped).sum();
        assert_eq!(self.database.rows("skipped").await, skipped as i64, "so many are skipped");
        let tables = [
            "slots",
            "openings",
            "counters WHERE due_at IS NOT NULL",
            "ready",
            "batches",
            "batched",
            "deliveries",
            "timers",
            "inbox",
            "waits",
        ];
        for table in tables {
            let rows = self.database.rows(table).await;
            assert_eq!(rows, 0, "so many rows are left in `{table}`");
        }
        Ok(())
    }
}

/// The workflows, as every program has them.
pub(super) fn driven() -> [Driven; 2] {
    WORKFLOWS.map(|workflow| {
        let workflow = workflow.to_owned();
        Driven { workflow, shape: Uuid::nil(), pinned: false }
    })
}
