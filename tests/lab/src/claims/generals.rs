//! Section 4: the Byzantine generals.

use crate::{
    chart::Chart,
    instance::Instance,
    process::Id,
    protocols::generals::{Generals, Message},
    random::Random,
    runner::{Run, run},
    setting::{Network, Setting},
    table::{Row, Scale},
};
use std::{cell::RefCell, rc::Rc};

/// Answers to the questions what a traitor sends next. All of them are gone through like the digits of a counter.
#[derive(Debug, Default)]
struct Choices {
    made: Vec<(u8, u8)>,
    at: usize,
}

impl Choices {
    fn choose(&mut self, options: u8) -> u8 {
        if self.at == self.made.len() {
            self.made.push((0, options));
        }
        self.at += 1;
        self.made[self.at - 1].0
    }

    /// The next answers; false if all were given.
    fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, options)) = self.made.pop() {
            if choice + 1 < options {
                self.made.push((choice + 1, options));
                return true;
            }
        }
        false
    }
}

type Choose = Rc<RefCell<dyn FnMut(u8) -> u8>>;

/// What traitors can do to a message: with oral ones anything; signed ones they can hold back, and only a commander that
/// is a traitor can sign both orders.
fn traitors(generals: &Generals, choose: &Choose, setting: &mut Setting<Message>) {
    let rules = *generals;
    for who in (0..generals.generals).filter(|who| generals.disloyal >> who & 1 == 1) {
        let choose = Rc::clone(choose);
        let strategy = move |_to: Id, message: &Message| -> Vec<Message> {
            let mut ask = choose.borrow_mut();
            let said = |order| Message { order, path: message.path.clone() };
            match (rules.signed, message.path.len()) {
                (true, 1) => {
                    [vec![], vec![said(0)], vec![said(1)], vec![said(0), said(1)]][usize::from(ask(4))].clone()
                }
                (true, _) => [vec![], vec![message.clone()]][usize::from(ask(2))].clone(),
                (false, _) => [vec![], vec![said(0)], vec![said(1)]][usize::from(ask(3))].clone(),
            }
        };
        setting.traitors.insert(who, Box::new(strategy));
    }
}

fn once(generals: &Generals, choose: &Choose, draws: bool) -> Run<Generals> {
    let mut setting = Setting::new(Network::LOCKSTEP, 0);
    setting.draws = draws;
    traitors(generals, choose, &mut setting);
    run(generals, setting)
}

/// What is wrong: with a loyal commander all loyal generals obey it.
fn wrong(generals: &Generals, run: &Run<Generals>) -> Option<String> {
    let view = crate::instance::View { processes: run.processes.iter().collect(), crashed: 0 };
    let disobeys = generals.disloyal & 1 == 0
        && run.shown.iter().any(|shown| generals.disloyal >> shown.who & 1 == 0 && shown.event != generals.order);
    let validity = disobeys.then(|| "validity: a loyal general does not obey the loyal commander".to_owned());
    generals.violation(&view).or(run.violation.clone()).or(validity)
}

/// The number of runs; what was wrong in the last, with its chart.
type Found = (u64, Option<(String, Chart)>);

/// Everything that these traitors can do, until something is wrong.
fn all_choices(generals: Generals) -> Found {
    let choices = Rc::new(RefCell::new(Choices::default()));
    let asked = Rc::clone(&choices);
    let choose: Choose = Rc::new(RefCell::new(move |options| asked.borrow_mut().choose(options)));
    let mut runs = 0;
    loop {
        runs += 1;
        if let Some(what) = wrong(&generals, &once(&generals, &choose, false)) {
            choices.borrow_mut().at = 0;
            return (runs, Some((what, once(&generals, &choose, true).chart)));
        }
        if !choices.borrow_mut().advance() {
            return (runs, None);
        }
    }
}

/// Every set of so many traitors with every order, and all that they can do.
fn exhaustive(generals: Generals) -> Found {
    let mut runs = 0;
    let sets = (0..1_u32 << generals.generals).filter(|set| set.count_ones() == u32::from(generals.traitors));
    for disloyal in sets {
        for order in [0, 1] {
            let (more, what) = all_choices(Generals { disloyal, order, ..generals });
            runs += more;
            if what.is_some() {
                return (runs, what);
            }
        }
    }
    (runs, None)
}

/// The same where there is too much that they can do: so many draws of it.
fn sampled(generals: Generals, draws: u64) -> Found {
    for seed in 0..draws {
        let mut random = Random::new(seed);
        let mut all: Vec<Id> = (0..generals.generals).collect();
        random.shuffle(&mut all);
        let disloyal = all.iter().take(usize::from(generals.traitors)).fold(0, |set, who| set | 1 << who);
        let order = u8::from(random.chance(0.5));
        let generals = Generals { disloyal, order, ..generals };
        let choose = |mut random: Random| -> Choose {
            Rc::new(RefCell::new(move |options| random.below(u64::from(options)) as u8))
        };
        if let Some(what) = wrong(&generals, &once(&generals, &choose(random.clone()), false)) {
            return (seed + 1, Some((what, once(&generals, &choose(random), true).chart)));
        }
    }
    (draws, None)
}

fn row(generals: Generals, (runs, found): Found, how: &str, breaks: bool) -> Row {
    let loyal = Generals { disloyal: 0, ..generals };
    let plain = once(&loyal, &(Rc::new(RefCell::new(|_| 0_u8)) as Choose), false);
    let name = if generals.signed { "SM" } else { "OM" };
    let mut row = Row::new(format!("{name}({}), {} generals", generals.traitors, generals.generals), "synchronous")
        .faults(format!("{} traitors of {}", generals.traitors, generals.generals));
    if breaks {
        let title = format!("traitors win after {runs} runs, {how}");
        let outcome = found.map(|(_, chart)| row.charts.push((format!("{}: {title}", row.protocol), chart)));
        return row.outcome(&title, outcome.ok_or_else(|| format!("nothing is wrong in {runs} runs")));
    }
    let (n, f) = (u64::from(generals.generals), u32::from(generals.traitors));
    // Each round of OM multiplies by one name less; of SM each lieutenant sends one order on.
    let published = match generals.signed {
        false => (1..=u64::from(f) + 1).map(|round| (1..=round).map(|name| n - name).product::<u64>()).sum(),
        true => (n - 1) + (n - 1) * (n - 2),
    };
    let row = row.messages(plain.messages, published);
    // Without traitors a signed order needs no more than two rounds, but nobody knows that.
    let row = if generals.signed { row } else { row.delays(plain.delays(), f + 1) };
    row.claim("loyal generals end after f+1 rounds", plain.done.is_some_and(|at| at <= u64::from(f + 1) * 101))
        .outcome(&format!("agreement and validity in {runs} runs, {how}"), found.map_or(Ok(()), |(what, _)| Err(what)))
}

/// Its rows.
pub fn rows(scale: Scale) -> Vec<Row> {
    let om = |generals, traitors| Generals {
        generals,
        traitors,
        rounds: traitors + 1,
        signed: false,
        order: 1,
        disloyal: 0,
    };
    let sm = |generals, traitors| Generals { signed: true, ..om(generals, traitors) };
    let every = "all that traitors can send";
    let (some, draws) = ("drawn at random", scale.pick(300, 10_000));
    let late = Generals { rounds: 1, ..sm(3, 1) };
    vec![
        row(om(4, 1), exhaustive(om(4, 1)), every, false),
        row(om(3, 1), exhaustive(om(3, 1)), every, true),
        row(om(7, 2), sampled(om(7, 2), draws), some, false),
        row(om(6, 2), sampled(om(6, 2), 100_000), some, true),
        row(sm(3, 1), exhaustive(sm(3, 1)), every, false),
        row(sm(4, 2), exhaustive(sm(4, 2)), every, false),
        row(sm(4, 1), exhaustive(sm(4, 1)), every, false),
        row(late, exhaustive(late), "f rounds instead of f+1", true),
    ]
}
