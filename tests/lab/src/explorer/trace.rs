//! A path of the search as a chart.

use super::{
    state::{Action, Envelope, LOCALS},
    step::Stepper,
};
use crate::{
    chart::{Chart, Row, What},
    instance::Instance,
    process::Id,
};
use std::collections::HashMap;

/// Plays the actions again and writes down what happens. Under a symmetry positions belong to renamed states, so there is
/// no chart.
pub(super) fn chart<I: Instance>(stepper: &mut Stepper<'_, I>, path: &[Action], verdict: &str, renamed: bool) -> Chart {
    let mut state = stepper.initial();
    let names = (0..stepper.count).map(|id| stepper.instance.name(id as Id)).collect();
    let mut chart = Chart { names, rows: Vec::new() };
    if renamed {
        return chart;
    }
    let (mut next, mut sent) = (Vec::new(), HashMap::<u32, Vec<usize>>::new());
    for (at, &action) in (1..).zip(path) {
        let messages = LOCALS + stepper.count;
        let row = describe(stepper, &state, action, &mut sent);
        chart.rows.push(Row { at, ..row });
        stepper.apply(&state, action, &mut next);
        for &envelope in &next[messages..] {
            let count = |state: &[u32]| state[messages..].iter().filter(|&&other| other == envelope).count();
            let rows = sent.entry(envelope).or_default();
            if count(&next) > count(&state) && rows.last() != Some(&(chart.rows.len() - 1)) {
                rows.push(chart.rows.len() - 1);
            }
        }
        for &event in &stepper.shown {
            let (who, event) = stepper.events.value(event);
            chart.rows.push(Row { at, what: What::Event(*who), label: format!("{event:?}") });
        }
        std::mem::swap(&mut state, &mut next);
    }
    let at = path.len() as u64;
    chart.rows.push(Row { at, what: What::Verdict, label: verdict.to_owned() });
    chart
}

fn describe<I: Instance>(
    stepper: &Stepper<'_, I>,
    state: &[u32],
    action: Action,
    sent: &mut HashMap<u32, Vec<usize>>,
) -> Row {
    let (what, label) = match action {
        Action::Deliver(position) | Action::Repeat(position) | Action::Lose(position) => {
            let number = state[LOCALS + stepper.count + position as usize];
            let Envelope { to, from, message } = stepper.envelopes.value(number);
            let (to, from) = (*to, *from);
            let rows = sent.entry(number).or_default();
            let sent = if matches!(action, Action::Deliver(_)) && !rows.is_empty() {
                Some(rows.remove(0))
            } else {
                rows.first().copied()
            };
            let what = if matches!(action, Action::Lose(_)) {
                What::Lost { from, to }
            } else {
                What::Arrives { from, to, sent }
            };
            (what, format!("{message:?}"))
        }
        Action::Fire(who, timer) => {
            let local = stepper.locals.value(state[LOCALS + usize::from(who)]);
            (What::Timer(who), format!("timer {:?}", local.timers[usize::from(timer)]))
        }
        Action::Crash(who) => (What::Crash(who), "crash".to_owned()),
        Action::Round => (What::Round, "the round ends".to_owned()),
    };
    Row { at: 0, what, label }
}
