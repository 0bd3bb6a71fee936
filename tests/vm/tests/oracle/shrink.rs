//! The smallest case that still differs.

use alloy_primitives::{Bytes, U256};
use cairn_vm_tests::fuzz::Case;

/// Takes away what is not needed for `differs` to hold.
pub fn shrink(mut case: Case, differs: impl Fn(&Case) -> bool) -> Case {
    loop {
        let before = case.clone();
        drop_steps(&mut case, &differs);
        drop_accounts(&mut case, &differs);
        simplify_steps(&mut case, &differs);
        shorten_codes(&mut case, &differs);
        if case == before {
            return case;
        }
    }
}

/// Makes a change if the case still differs with it.
fn attempt(case: &mut Case, differs: &impl Fn(&Case) -> bool, change: impl FnOnce(&mut Case)) -> bool {
    let mut other = case.clone();
    change(&mut other);
    let better = other != *case && differs(&other);
    if better {
        *case = other;
    }
    better
}

fn drop_steps(case: &mut Case, differs: &impl Fn(&Case) -> bool) {
    for index in (0..case.steps.len()).rev() {
        attempt(case, differs, |case| drop(case.steps.remove(index)));
    }
}

fn drop_accounts(case: &mut Case, differs: &impl Fn(&Case) -> bool) {
    for address in case.world.0.keys().copied().collect::<Vec<_>>() {
        if attempt(case, differs, |case| drop(case.world.0.remove(&address))) {
            continue;
        }
        let slots: Vec<U256> = case.world.0[&address].storage.keys().copied().collect();
        for slot in slots {
            attempt(case, differs, |case| {
                _ = case.world.0.entry(address).or_default().storage.remove(&slot);
            });
        }
    }
}

fn simplify_steps(case: &mut Case, differs: &impl Fn(&Case) -> bool) {
    for index in 0..case.steps.len() {
        attempt(case, differs, |case| case.steps[index].fields.value = U256::ZERO);
        attempt(case, differs, |case| case.steps[index].fields.access_list.clear());
        attempt(case, differs, |case| case.steps[index].fields.authorizations.truncate(1));
        let input = case.steps[index].fields.input.to_vec();
        shorten(case, differs, input, |case, input| case.steps[index].fields.input = input);
    }
}

fn shorten_codes(case: &mut Case, differs: &impl Fn(&Case) -> bool) {
    for address in case.world.0.keys().copied().collect::<Vec<_>>() {
        let code = case.world.0[&address].code.to_vec();
        shorten(case, differs, code, |case, code| case.world.0.entry(address).or_default().code = code);
    }
}

/// Cuts bytes out, or makes them JUMPDESTs, which do nothing: pieces of half the length, a quarter and so on.
fn shorten(case: &mut Case, differs: &impl Fn(&Case) -> bool, mut bytes: Vec<u8>, set: impl Fn(&mut Case, Bytes)) {
    let mut size = bytes.len();
    while size > 0 {
        let mut at = 0;
        while at < bytes.len() {
            let end = (at + size).min(bytes.len());
            let cut = [&bytes[..at], &bytes[end..]].concat();
            let mut quiet = bytes.clone();
            quiet[at..end].fill(0x5b);
            let mut smaller = [cut, quiet].into_iter();
            if let Some(bytes_now) =
                smaller.find(|bytes| attempt(case, differs, |case| set(case, bytes.clone().into())))
            {
                bytes = bytes_now;
            }
            at = end;
        }
        size /= 2;
    }
}
