//! What the cases make of their events.

use super::*;

/// What the cases make of their events.
pub(super) struct Switchboard<'b> {
    pub(super) live: &'b [Live],
    pub(super) places: &'b HashMap<u64, usize>,
    pub(super) routed: Mutex<Vec<(usize, u64, Timestamp)>>,
}

impl Switchboard<'_> {
    fn read(&self, data: &Payload) -> (usize, u64) {
        let (case, no): (u64, u64) = data.decode().expect("it says which it is");
        (self.places[&case], no)
    }
}

impl Routes for Switchboard<'_> {
    fn route(&self, event: &StoredEvent) -> Routing {
        let (place, no) = self.read(&event.data);
        let mut routed = self.routed.lock().unwrap_or_else(PoisonError::into_inner);
        routed.push((place, no, event.accepted_at));
        let Live { case, model, .. } = &self.live[place];
        let admission = admission(case, &model.flows, case.sent(no), event);
        Routing { admissions: vec![admission], ..Routing::default() }
    }

    fn gathered(&self, workflow: &str, events: &[Gathered]) -> NewRun {
        let last = events.last().expect("there are some");
        let (place, no) = self.read(&last.data);
        let Live { case, model, .. } = &self.live[place];
        let (sent, flow) = (case.sent(no), &model.flows[case.sent(no).flow]);
        NewRun { event: None, workflow: workflow.to_owned(), ..new_run(case, flow, sent) }
    }
}

pub(super) fn admission(
    case: &Case,
    flows: &[Flow],
    sent: &Sent,
    event: &StoredEvent,
) -> Admission {
    let flow = &flows[sent.flow];
    let start = || NewRun { event: Some(event.id), ..new_run(case, flow, sent) };
    let Some(gather) = &flow.gather else {
        let run = start();
        let once = flow
            .once
            .as_ref()
            .and_then(|(limit, within)| Some((limit.gate(sent)?, Duration::from_secs(*within))));
        let rate = flow.rate.as_ref().and_then(|limit| limit.gate(sent));
        return Admission::Start(NewRun { checks: Checks { once, rate, ..run.checks }, ..run });
    };
    let Some(key) = gather.key.of(sent) else { return Admission::Start(start()) };
    let seconds = Duration::from_secs;
    let window = match gather.debounce {
        None => Window::Fixed(seconds(gather.seconds)),
        Some(max) => Window::Sliding { period: seconds(gather.seconds), max: max.map(seconds) },
    };
    Admission::Gather(Gathering {
        workflow: WORKFLOWS[sent.flow].to_owned(),
        key: format!("{}/{key}", case.number),
        max: gather.most,
        limit: 100_000,
        window,
        keep: gather.keep,
    })
}

pub(super) fn gates(flow: &Flow, sent: &Sent) -> Vec<Gate> {
    flow.gates.iter().filter_map(|limit| limit.gate(sent)).collect()
}

/// A run that no event starts.
pub(super) fn new_run(case: &Case, flow: &Flow, sent: &Sent) -> NewRun {
    let single = flow.single.as_ref();
    let single = single.and_then(|(limit, mode)| Some((limit.gate(sent)?, *mode)));
    NewRun {
        id: case.run(sent.no),
        seed: case.id(sent.no, 1),
        gates: gates(flow, sent),
        ahead: sent.ahead,
        checks: Checks { single, ..Checks::default() },
        ..NewRun::new(WORKFLOWS[sent.flow], None, data(case, sent.no))
    }
}
