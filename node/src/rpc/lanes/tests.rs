use super::*;
use futures::{FutureExt, future::BoxFuture};

/// Names of calls, as they ran.
type Order = Arc<Mutex<Vec<&'static str>>>;

fn who(ip: &str, connection: u64) -> Who {
    Who { network: network(ip.parse().unwrap()), connection, operator: false }
}

/// A call that does nothing: what it came to, once it is asked for.
fn call(lanes: &Lanes, who: Who) -> BoxFuture<'_, Option<i32>> {
    lanes.run(Lane::Code, who, || ()).map(|result| result.err().map(|error| error.code())).boxed()
}

/// A call that stands in the queue.
fn waits(lanes: &Lanes, who: Who) -> BoxFuture<'_, Option<i32>> {
    let mut call = call(lanes, who);
    assert!(call.as_mut().now_or_never().is_none());
    call
}

/// A call that stands in the queue and notes its name when it runs.
fn notes<'l>(lanes: &'l Lanes, who: Who, name: &'static str, order: &Order) -> BoxFuture<'l, RpcResult<()>> {
    let order = order.clone();
    let mut call = lanes.run(Lane::Code, who, move || order.lock().push(name)).boxed();
    assert!(call.as_mut().now_or_never().is_none());
    call
}

#[tokio::test]
async fn code_beyond_the_queue_is_refused_and_other_calls_still_run() {
    let lanes = Lanes::new(1, 1, 2);
    let first = lanes.fill(Lane::Code);
    let (second, third) = (waits(&lanes, Who::default()), waits(&lanes, Who::default()));
    assert_eq!(call(&lanes, Who::default()).await, Some(-32005));
    for lane in [Lane::Light, Lane::Read, Lane::Operator] {
        assert!(lanes.run(lane, Who::default(), || ()).await.is_ok(), "{lane:?}");
    }
    drop(first);
    assert_eq!((second.await, third.await), (None, None));
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_makes_room_and_its_call_never_runs() {
    let (lanes, order) = (Lanes::new(1, 1, 1), Order::default());
    let first = lanes.fill(Lane::Code);
    let left = notes(&lanes, Who::default(), "left", &order);
    assert_eq!(call(&lanes, Who::default()).await, Some(-32005));
    drop(left);
    let stays = notes(&lanes, Who::default(), "stays", &order);
    drop(first);
    stays.await.unwrap();
    assert_eq!((&*order.lock(), lanes.waiting(Lane::Code)), (&vec!["stays"], 0));
}

#[tokio::test]
async fn calls_that_wait_run_one_after_the_other_on_one_thread() {
    let lanes = Lanes::new(1, 1, 512);
    let first = lanes.fill(Lane::Code);
    let mut calls: Vec<_> =
        (0..50).map(|_| lanes.run(Lane::Code, Who::default(), || std::thread::current().id()).boxed()).collect();
    assert!(calls.iter_mut().all(|call| call.now_or_never().is_none()));
    drop(first);
    let threads: HashSet<_> = futures::future::join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(threads.len(), 1);
}

#[tokio::test]
async fn a_call_that_panics_is_answered_and_leaves_its_place() {
    let lanes = Lanes::new(1, 1, 512);
    for _ in 0..3 {
        let error = lanes.run(Lane::Code, Who::default(), || panic!("on purpose")).await.unwrap_err();
        assert_eq!(error.code(), -32603);
    }
    assert_eq!(call(&lanes, Who::default()).await, None);
}

// Two addresses come again with a new call whenever they are served.
#[tokio::test]
async fn who_comes_again_and_again_does_not_overtake_who_waits() {
    fn again(queue: &Arc<Queue>, who: Who, order: Order) {
        let own = queue.clone();
        let job = move || {
            order.lock().push("again");
            if order.lock().len() < 9 {
                again(&own, who, order);
            }
        };
        // What it returns would take the call out of the queue.
        std::mem::forget(queue.admit(who, Box::new(job)).unwrap());
    }
    let (lanes, order) = (Lanes::new(1, 1, 512), Order::default());
    let first = lanes.fill(Lane::Code);
    let patient: Vec<_> = (0..3).map(|_| notes(&lanes, who("192.0.2.1", 1), "patient", &order)).collect();
    again(&lanes.code, who("192.0.2.2", 2), order.clone());
    again(&lanes.code, who("192.0.2.3", 3), order.clone());
    drop(first);
    futures::future::join_all(patient).await;
    let ran = order.lock().clone();
    assert_eq!(ran.iter().take(9).filter(|name| **name == "patient").count(), 3, "a third of nine turns: {ran:?}");
}

// Addresses take turns, and the connections of an address too: 1 has a hundred calls in the queue, 2 has two connections.
#[tokio::test]
async fn a_call_waits_for_one_call_of_each_other_address_at_most() {
    let (lanes, order) = (Lanes::new(1, 1, 512), Order::default());
    let first = lanes.fill(Lane::Code);
    let flood = (0..100).map(|_| (who("192.0.2.1", 1), "flood"));
    let others = [(who("192.0.2.2", 2), "a"), (who("192.0.2.2", 2), "a"), (who("192.0.2.2", 3), "b")];
    let calls: Vec<_> = flood.chain(others).map(|(who, name)| notes(&lanes, who, name, &order)).collect();
    drop(first);
    futures::future::join_all(calls).await;
    assert_eq!(order.lock()[..7], ["flood", "a", "flood", "b", "flood", "a", "flood"]);
}

#[tokio::test]
async fn one_address_has_a_share_and_makes_room_for_others_when_the_queue_is_full() {
    let lanes = Lanes::new(1, 1, 2 * WAITING_OF_ONE);
    let _first = lanes.fill(Lane::Code);
    // The connections of a network of IPv6 are one address.
    let flood = |number: u64| who(&format!("2001:db8::{number:x}"), number);
    let mut waiting: Vec<_> = (0..WAITING_OF_ONE as u64).map(|number| waits(&lanes, flood(number))).collect();
    assert_eq!(call(&lanes, flood(999)).await, Some(-32005));
    waiting.extend((0..WAITING_OF_ONE).map(|_| waits(&lanes, who("192.0.2.1", 0))));
    let honest = waits(&lanes, who("192.0.2.7", 7));
    assert_eq!(lanes.waiting(Lane::Code), 2 * WAITING_OF_ONE);
    let refused = waiting.iter_mut().filter_map(|call| call.now_or_never());
    assert_eq!(refused.collect::<Vec<_>>(), [Some(-32005)], "the last one of those who have most");
    drop(honest);
}

#[test]
fn long_polls_are_bounded_by_address_and_the_operator_always_waits() {
    let lanes = Lanes::new(1, 1, 512);
    let poll = |who| lanes.poll(Lane::Operator, who).map_err(|error| error.code());
    let mut polls: Vec<_> = (0..POLLS_OF_ONE).map(|_| poll(who("192.0.2.1", 1)).unwrap()).collect();
    assert_eq!(poll(who("192.0.2.1", 2)).err(), Some(-32005));
    polls.extend((0..POLLS - POLLS_OF_ONE).map(|_| poll(who("192.0.2.2", 1)).unwrap()));
    assert_eq!(poll(who("192.0.2.3", 3)).err(), Some(-32005), "in all");
    assert!(poll(Who { operator: true, ..who("192.0.2.1", 1) }).is_ok());
    polls.pop();
    assert!(poll(who("192.0.2.3", 3)).is_ok());
    drop(polls);
    assert!(lanes.polls.of.lock().is_empty());
}

#[test]
fn calls_that_wait_for_their_transactions_leave_the_long_polls_of_miners_alone() {
    let lanes = Lanes::new(1, 1, 512);
    let wait = |host: usize| lanes.poll(Lane::Light, who(&format!("192.0.2.{host}"), 1));
    let waits: Vec<_> = (0..WAITS).map(|number| wait(number / WAITS_OF_ONE).unwrap()).collect();
    assert_eq!(wait(9).err().map(|error| error.code()), Some(-32005));
    assert!(lanes.poll(Lane::Operator, who("192.0.2.9", 1)).is_ok());
    drop(waits);
    assert!(lanes.waits.of.lock().is_empty());
}

#[tokio::test]
async fn a_place_is_kept_for_the_operator() {
    let (lanes, order) = (Lanes::new(1, 1, 512), Order::default());
    let operator = Who { operator: true, ..who("127.0.0.1", 1) };
    let first = lanes.fill(Lane::Code);
    assert_eq!(call(&lanes, operator).await, None, "it runs at once");
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let mut own = lanes.run(Lane::Code, operator, move || ended.recv().is_err()).boxed();
    assert!(own.as_mut().now_or_never().is_none());
    let stranger = notes(&lanes, who("127.0.0.1", 2), "stranger", &order);
    let second = notes(&lanes, operator, "operator", &order);
    drop(end);
    second.await.unwrap();
    assert_eq!(*order.lock(), ["operator"], "the kept place is not given to a stranger");
    drop(first);
    stranger.await.unwrap();
}
