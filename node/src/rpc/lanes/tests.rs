use super::*;
use futures::{FutureExt, future::BoxFuture};

fn code(result: RpcResult<Place>) -> Option<i32> {
    result.err().map(|error| error.code())
}

fn who(ip: &str, connection: u64) -> Who {
    Who { network: network(ip.parse().unwrap()), connection, operator: false }
}

/// A call that stands in the queue.
fn waits(lanes: &Lanes, who: Who) -> BoxFuture<'_, RpcResult<Place>> {
    let mut call = lanes.enter(Lane::Code, who).boxed();
    assert!(call.as_mut().now_or_never().is_none());
    call
}

#[tokio::test]
async fn code_beyond_the_queue_is_refused_and_other_calls_still_run() {
    let lanes = Lanes::new(1, 1, 2);
    let first = lanes.enter(Lane::Code, Who::default()).await.unwrap();
    let (second, _third) = (waits(&lanes, Who::default()), waits(&lanes, Who::default()));
    assert_eq!(code(lanes.enter(Lane::Code, Who::default()).await), Some(-32005));
    for lane in [Lane::Light, Lane::Read, Lane::Operator] {
        assert_eq!(code(lanes.enter(lane, Who::default()).await), None, "{lane:?}");
    }
    drop(first);
    assert_eq!(code(second.await), None);
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_makes_room() {
    let lanes = Lanes::new(1, 1, 1);
    let _first = lanes.enter(Lane::Code, Who::default()).await.unwrap();
    let second = waits(&lanes, Who::default());
    assert_eq!(code(lanes.enter(Lane::Code, Who::default()).await), Some(-32005));
    drop(second);
    drop(waits(&lanes, Who::default()));
    assert_eq!(lanes.waiting(Lane::Code), 0);
}

// Two addresses come again with a new call whenever they are served.
#[tokio::test]
async fn who_comes_again_and_again_does_not_overtake_who_waits() {
    let lanes = Lanes::new(1, 1, 512);
    let mut place = lanes.enter(Lane::Code, who("192.0.2.9", 9)).await.unwrap();
    let (patient, again) = (who("192.0.2.1", 1), [who("192.0.2.2", 2), who("192.0.2.3", 3)]);
    let mut calls: Vec<_> = [patient; 3].into_iter().chain(again).map(|who| (who, waits(&lanes, who))).collect();
    let mut left = 3;
    for _ in 0..9 {
        drop(place);
        let served = calls.iter_mut().enumerate().find_map(|(at, (_, call))| Some((at, call.now_or_never()?)));
        let (at, next) = served.expect("one is served");
        place = next.unwrap();
        let (by, _) = calls.remove(at);
        match by == patient {
            true => left -= 1,
            false => calls.push((by, waits(&lanes, by))),
        }
    }
    assert_eq!(left, 0, "a third of nine turns");
}

// Addresses take turns, and the connections of an address too: 1 has a hundred calls in the queue, 2 has two connections.
#[tokio::test]
async fn a_call_waits_for_one_call_of_each_other_address_at_most() {
    let lanes = Lanes::new(1, 1, 512);
    let mut place = lanes.enter(Lane::Code, who("192.0.2.1", 1)).await.unwrap();
    let mut calls: Vec<_> = (0..100).map(|_| ("flood", waits(&lanes, who("192.0.2.1", 1)))).collect();
    calls.push(("a", waits(&lanes, who("192.0.2.2", 2))));
    calls.push(("a", waits(&lanes, who("192.0.2.2", 2))));
    calls.push(("b", waits(&lanes, who("192.0.2.2", 3))));
    let mut order = Vec::new();
    while order.len() < 7 {
        drop(place);
        let mut served = None;
        calls.retain_mut(|(name, call)| match served.is_none().then(|| call.now_or_never()).flatten() {
            Some(next) => {
                served = Some((*name, next.unwrap()));
                false
            }
            None => true,
        });
        let (name, next) = served.expect("one is served");
        order.push(name);
        place = next;
    }
    assert_eq!(order, ["flood", "a", "flood", "b", "flood", "a", "flood"]);
}

#[tokio::test]
async fn one_address_has_a_share_and_makes_room_for_others_when_the_queue_is_full() {
    let lanes = Lanes::new(1, 1, 2 * WAITING_OF_ONE);
    let _first = lanes.enter(Lane::Code, who("192.0.2.1", 0)).await.unwrap();
    // The connections of a network of IPv6 are one address.
    let flood = |number: u64| who(&format!("2001:db8::{number:x}"), number);
    let mut waiting: Vec<_> = (0..WAITING_OF_ONE as u64).map(|number| waits(&lanes, flood(number))).collect();
    assert_eq!(code(lanes.enter(Lane::Code, flood(999)).await), Some(-32005));
    waiting.extend((0..WAITING_OF_ONE).map(|_| waits(&lanes, who("192.0.2.1", 0))));
    let honest = waits(&lanes, who("192.0.2.7", 7));
    assert_eq!(lanes.waiting(Lane::Code), 2 * WAITING_OF_ONE);
    let refused = waiting.iter_mut().filter_map(|call| call.now_or_never()).map(code);
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
    let lanes = Lanes::new(1, 1, 512);
    let operator = Who { operator: true, ..who("127.0.0.1", 1) };
    let _first = lanes.enter(Lane::Code, who("127.0.0.1", 0)).await.unwrap();
    let own = lanes.enter(Lane::Code, operator).now_or_never().expect("it runs at once").unwrap();
    let stranger = waits(&lanes, who("127.0.0.1", 2));
    let second = waits(&lanes, operator);
    drop(own);
    assert!(second.now_or_never().is_some(), "the kept place is not given to a stranger");
    assert!(stranger.now_or_never().is_none());
}
