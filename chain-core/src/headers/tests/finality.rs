//! Fork choice with a finalized block.

use super::*;

// FIN-1
#[test]
fn the_best_chain_goes_through_the_finalized_block_whatever_work_others_have() {
    //  genesis - a1 - a2 - a3
    //               \ b2 - b3 - b4 - b5
    let mut forks = Forks::dev();
    forks.store(&["a1", "a2", "a3"], "genesis");
    forks.store(&["b2", "b3", "b4"], "a1");
    assert_eq!((forks.candidate(), forks.best()), ("b4", "b4"));
    assert!(forks.tree.finalize(&forks.hash("a2")));
    assert_eq!((forks.candidate(), forks.best()), ("a3", "a3"));
    forks.store(&["b5"], "b4");
    assert_eq!((forks.candidate(), forks.best()), ("a3", "a3"), "more work on another branch changes nothing");
    forks.store(&["a4"], "a3");
    assert_eq!((forks.candidate(), forks.best()), ("a4", "a4"));
    for (name, fits) in [("genesis", true), ("a1", true), ("a2", true), ("a4", true), ("b2", false), ("b5", false)] {
        let id = forks.tree.find(&forks.hash(name)).unwrap();
        assert_eq!(forks.tree.fits_finality(id), fits, "{name}");
    }
    assert_eq!(forks.tree.finalized(), forks.hash("a2"));
}

// FIN-1
#[test]
fn while_the_finalized_block_lacks_its_body_the_chain_ends_before_it() {
    let mut forks = Forks::dev();
    forks.store(&["a1"], "genesis");
    forks.mine("a2", "a1");
    forks.store(&["b2", "b3"], "a1");
    assert!(forks.tree.finalize(&forks.hash("a2")));
    assert_eq!((forks.candidate(), forks.best()), ("a1", "a2"));
    forks.tree.prefer(&forks.hash("b3"));
    assert_eq!(forks.candidate(), "a1", "not even the stored tip is preferred");
    forks.tree.mark_body(&forks.hash("a2"));
    assert_eq!(forks.candidate(), "a2");
}

// FIN-1
#[test]
fn an_invalid_block_is_never_finalized_and_an_unknown_one_neither() {
    let mut forks = Forks::dev();
    forks.store(&["a1", "a2"], "genesis");
    forks.store(&["b1"], "genesis");
    assert!(!forks.tree.finalize(&BlockHash([9; 32])));
    assert!(forks.tree.finalize(&forks.hash("a1")));
    forks.tree.mark_invalid(&forks.hash("a1"));
    assert_eq!((forks.candidate(), forks.best()), ("genesis", "genesis"));
    assert!(!forks.tree.finalize(&forks.hash("a2")));
    assert!(forks.tree.finalize(&forks.hash("genesis")), "back to what was finalized before");
    assert_eq!((forks.candidate(), forks.best()), ("b1", "b1"));
}
