//! What the store does by itself: routing, batches, gates and timers.

use super::*;

impl Batch {
    pub(super) async fn route(&mut self) -> Outcome<bool> {
        let parts = [SENT.to_owned()];
        let limit =
            if self.random.percent(50) { 1_000 } else { self.random.within(1..=9) as usize };
        let all =
            Deliveries { worker: WorkerId::new(), app: APP, parts: &parts, limit, in_turn: true };
        let router =
            Switchboard { live: &self.live, places: &self.places, routed: Mutex::default() };
        let count = self.store.route_deliveries(all, &router).await.expect("the store answers");
        let routed = router.routed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let expected: Vec<_> = self.unrouted.drain(..limit.min(self.unrouted.len())).collect();
        if let Some((found, _)) = routed.iter().zip(&expected).find(|(found, told)| found != told) {
            let what = format!("{found:?} is routed before its turn: {expected:?}");
            return Err(self.failure(found.0, what));
        }
        assert_eq!((routed.len(), count), (expected.len(), expected.len()), "all are routed");
        for (place, no, accepted) in routed {
            let Live { case, model, .. } = &mut self.live[place];
            model.event(case, case.sent(no), accepted, self.now);
        }
        Ok(count > 0)
    }

    pub(super) async fn complete(&mut self) -> Outcome<bool> {
        let parts = [SENT.to_owned()];
        let all = Deliveries {
            worker: WorkerId::new(),
            app: APP,
            parts: &parts,
            limit: 1_000,
            in_turn: false,
        };
        let router =
            Switchboard { live: &self.live, places: &self.places, routed: Mutex::default() };
        let completed = self.store.complete_batches(all, &router).await.expect("it answers");
        let unrouted = self.unrouted.iter().map(|(_, _, accepted)| *accepted).min();
        let mut expected = 0;
        for Live { case, model, .. } in self.live.iter_mut().filter(|live| !live.over) {
            expected += model.complete(case, unrouted, self.now);
        }
        self.promise(completed.next);
        if completed.runs != expected {
            let what = format!("{} windows are complete, not {expected}", completed.runs);
            return Err(self.blame(&what).await);
        }
        Ok(expected > 0)
    }

    pub(super) async fn open_gates(&mut self) -> Outcome<bool> {
        let (mut passed, mut next) = (0, Some(Duration::ZERO));
        let mut calm = 0;
        while calm < 1 || next == Some(Duration::ZERO) {
            let opened = self.store.open_gates(APP).await.expect("the store answers");
            calm = if opened.runs == 0 { calm + 1 } else { 0 };
            (passed, next) = (passed + opened.runs, opened.next);
            assert!(calm < 1_000, "the opener does not come to an end");
        }
        let live = self.live.iter_mut().filter(|live| !live.over);
        let expected: usize = live.map(|live| live.model.open(self.now).len()).sum();
        self.promise(next);
        if passed != expected {
            return Err(self.blame(&format!("{passed} runs may begin, not {expected}")).await);
        }
        Ok(passed > 0)
    }

    pub(super) async fn wake(&mut self) -> bool {
        let woken = self.store.wake_due(1_000).await.expect("the store answers");
        let live = self.live.iter_mut().filter(|live| !live.over);
        live.for_each(|live| live.model.wake(self.now));
        self.promise(woken.next);
        woken.runs > 0
    }

    /// Finds the case that is not as its model says.
    pub(super) async fn blame(&mut self, what: &str) -> Failure {
        let runs = self.runs().await;
        for place in 0..self.live.len() {
            let model = &self.live[place].model;
            let number = self.live[place].case.number;
            let known = |id: &RunId| model.runs.contains_key(id);
            let there = runs.iter().filter(|(_, (case, _))| *case == number);
            let unknown = there.clone().find(|(id, _)| !known(id));
            let missing = model.runs.keys().find(|id| !runs.contains_key(id));
            if let Some((id, _)) = unknown {
                let id = short(*id);
                return self.failure(place, format!("{what}: run {id} should not be there"));
            }
            if let Some(id) = missing {
                let id = short(*id);
                return self.failure(place, format!("{what}: run {id} should be there"));
            }
        }
        match self.claim_all(0).await {
            Ok(()) => self.failure(0, format!("{what}, and nobody knows which")),
            Err(failure) => Failure { what: format!("{what}: {}", failure.what), ..failure },
        }
    }

    /// All runs, each with the number of its case and where it stands.
    pub(super) async fn runs(&self) -> BTreeMap<RunId, (u64, RunStatus)> {
        let (mut runs, mut after) = (BTreeMap::new(), None);
        loop {
            let query = RunQuery { after, limit: Some(1_000), ..RunQuery::default() };
            let page = self.store.runs(APP, &query).await.expect("the store answers");
            let Some(last) = page.last() else { return runs };
            after = Some(last.id);
            runs.extend(page.iter().map(|run| {
                let (case, _): (u64, u64) = run.input.decode().expect("it says which it is");
                (run.id, (case, run.status))
            }));
        }
    }
}
