//! Tests of the items.

use super::*;

const NOW: Duration = Duration::from_secs(1_800_000_000);
const KEY: &[u8] = b"k";

fn store() -> Store {
    Store::new(1 << 20)
}

fn set(store: &mut Store, key: &[u8], value: &[u8], expiration: u32, now: Duration) -> u64 {
    let new = NewItem { value, flags: 0, expiration };
    store.set(StoreMode::Set, key, new, 0, now).expect("set")
}

fn value(store: &mut Store, key: &[u8], now: Duration) -> Option<Bytes> {
    store.get(key, now).map(|item| item.value.clone())
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn up(delta: u64) -> Count {
    Count { mode: CounterMode::Increment, delta, initial: 0, expiration: DO_NOT_CREATE }
}

#[test]
fn versions_rise_and_are_asked_for() {
    let mut store = store();
    let first = set(&mut store, KEY, b"1", 0, NOW);
    let second = set(&mut store, KEY, b"2", 0, NOW);
    assert!(second > first && first > 0);

    let new = NewItem { value: b"3", flags: 0, expiration: 0 };
    for mode in [StoreMode::Set, StoreMode::Add, StoreMode::Replace] {
        assert_eq!(store.set(mode, KEY, new, first, NOW), Err(Refusal::Exists), "{mode:?}");
        assert_eq!(store.set(mode, b"absent", new, first, NOW), Err(Refusal::NotFound), "{mode:?}");
    }
    assert_eq!(store.delete(KEY, first, NOW), Err(Refusal::Exists));
    assert_eq!(store.count(KEY, up(1), first, NOW), Err(Refusal::Exists));
    assert_eq!(store.concat(ConcatMode::Append, KEY, b"", first, NOW), Err(Refusal::Exists));

    let third = store.concat(ConcatMode::Append, KEY, b"0", second, NOW).expect("right version");
    let fourth = store.count(KEY, up(1), third, NOW).expect("right version").cas;
    let fifth = store.set(StoreMode::Add, KEY, new, fourth, NOW).expect("right version");
    assert!(third > second && fourth > third && fifth > fourth);
    assert_eq!(store.delete(KEY, fifth, NOW), Ok(()));
}

#[test]
fn add_and_replace_look_at_what_is_there() {
    let mut store = store();
    let new = NewItem { value: b"v", flags: 7, expiration: 0 };
    assert_eq!(store.set(StoreMode::Replace, KEY, new, 0, NOW), Err(Refusal::NotFound));
    assert!(store.set(StoreMode::Add, KEY, new, 0, NOW).is_ok());
    assert_eq!(store.set(StoreMode::Add, KEY, new, 0, NOW), Err(Refusal::Exists));
    assert!(store.set(StoreMode::Replace, KEY, new, 0, NOW).is_ok());
    assert_eq!(store.get(KEY, NOW).expect("stored").flags, 7);
}

#[test]
fn an_item_expires_at_its_time_and_not_before() {
    let mut store = store();
    let month = 30 * 24 * 3600;
    let instant = Duration::from_nanos(1);
    for (expiration, at) in [
        (1, NOW + secs(1)),
        (month, NOW + secs(u64::from(month))),
        (1_800_000_001, NOW + secs(1)),
        (u32::MAX, secs(u64::from(u32::MAX))),
    ] {
        set(&mut store, KEY, b"v", expiration, NOW);
        assert!(value(&mut store, KEY, at - instant).is_some(), "{expiration}");
        assert_eq!(value(&mut store, KEY, at), None, "{expiration}");
    }
    for past in [month + 1, 1_799_999_999, 1_800_000_000] {
        set(&mut store, KEY, b"v", past, NOW);
        assert_eq!(value(&mut store, KEY, NOW), None, "{past}");
    }
    set(&mut store, KEY, b"v", 0, NOW);
    assert!(value(&mut store, KEY, Duration::MAX).is_some());
}

#[test]
fn an_expired_item_is_absent_to_every_command() {
    let mut store = store();
    let later = NOW + secs(1);
    set(&mut store, KEY, b"1", 1, NOW);
    assert_eq!(store.size(NOW), (1, 61));
    assert_eq!(store.delete(KEY, 0, later), Err(Refusal::NotFound));

    set(&mut store, KEY, b"1", 1, NOW);
    assert_eq!(store.count(KEY, up(1), 0, later), Err(Refusal::NotFound));
    set(&mut store, KEY, b"1", 1, NOW);
    assert_eq!(store.concat(ConcatMode::Append, KEY, b"2", 0, later), Err(Refusal::NotStored));
    set(&mut store, KEY, b"1", 1, NOW);
    assert!(store.touch(KEY, 100, later).is_none());
    set(&mut store, KEY, b"1", 1, NOW);
    assert_eq!(store.size(later), (0, 0));
    let new = NewItem { value: b"2", flags: 0, expiration: 0 };
    set(&mut store, KEY, b"1", 1, NOW);
    assert!(store.set(StoreMode::Add, KEY, new, 0, later).is_ok());
}

#[test]
fn touch_moves_the_end_and_keeps_the_version() {
    let mut store = store();
    let cas = set(&mut store, KEY, b"v", 10, NOW);
    assert_eq!(store.touch(KEY, 100, NOW + secs(9)).expect("there").cas, cas);
    assert!(value(&mut store, KEY, NOW + secs(108)).is_some());
    assert!(store.touch(KEY, 0, NOW + secs(108)).is_some());
    assert!(value(&mut store, KEY, NOW + secs(1_000_000)).is_some());
}

#[test]
fn what_is_added_and_counted_keeps_flags_and_expiration() {
    let mut store = store();
    let new = NewItem { value: b"5", flags: 3, expiration: 10 };
    store.set(StoreMode::Set, KEY, new, 0, NOW).expect("set");
    store.concat(ConcatMode::Append, KEY, b"6", 0, NOW + secs(5)).expect("append");
    store.concat(ConcatMode::Prepend, KEY, b"4", 0, NOW + secs(5)).expect("prepend");
    store.count(KEY, up(4), 0, NOW + secs(5)).expect("count");
    let item = store.get(KEY, NOW + secs(9)).expect("not yet expired");
    assert_eq!((&item.value[..], item.flags), (&b"460"[..], 3));
    assert_eq!(value(&mut store, KEY, NOW + secs(10)), None);
}

#[test]
fn counting_wraps_up_and_stops_at_zero() {
    let mut store = store();
    let mut count = |value: &[u8], mode, delta| {
        set(&mut store, KEY, value, 0, NOW);
        let number = store.count(KEY, Count { mode, ..up(delta) }, 0, NOW).map(|counted| counted.number);
        (number, store.get(KEY, NOW).expect("there").value.clone())
    };
    let max = u64::MAX.to_string();
    assert_eq!(
        count(max.as_bytes(), CounterMode::Increment, 2),
        (Ok(1), Bytes::from_static(b"1                   "))
    );
    assert_eq!(count(b"10", CounterMode::Decrement, 1), (Ok(9), Bytes::from_static(b"9 ")));
    assert_eq!(count(b"10", CounterMode::Decrement, 11), (Ok(0), Bytes::from_static(b"0 ")));
    assert_eq!(count(b"99", CounterMode::Increment, 1), (Ok(100), Bytes::from_static(b"100")));
    assert_eq!(count(b"x", CounterMode::Increment, 1), (Err(Refusal::NonNumeric), Bytes::from_static(b"x")));
}

#[test]
fn a_counter_is_created_unless_told_not_to() {
    let mut store = store();
    assert_eq!(store.count(KEY, up(1), 0, NOW), Err(Refusal::NotFound));
    let create = Count { initial: 40, expiration: 10, ..up(1) };
    let created = store.count(KEY, create, 0, NOW).expect("created");
    assert_eq!((created.number, created.created), (40, true));
    let counted = store.count(KEY, create, 0, NOW).expect("counted");
    assert_eq!((counted.number, counted.created), (41, false));
    assert_eq!(value(&mut store, KEY, NOW + secs(10)), None);
}

#[test]
fn the_limit_is_memcacheds() {
    let mut store = store();
    let largest = (1 << 20) - 60;
    let bytes = vec![b'x'; largest + 1];
    let new = |len: usize, flags| NewItem { value: &bytes[..len], flags, expiration: 0 };
    for mode in [StoreMode::Add, StoreMode::Replace] {
        set(&mut store, KEY, b"old", 0, NOW);
        assert_eq!(store.set(mode, KEY, new(largest + 1, 0), 0, NOW), Err(Refusal::TooLarge));
        assert!(value(&mut store, KEY, NOW).is_some(), "{mode:?}");
    }
    assert_eq!(store.set(StoreMode::Set, KEY, new(largest + 1, 0), 0, NOW), Err(Refusal::TooLarge));
    assert_eq!(value(&mut store, KEY, NOW), None, "the old value is gone");
    assert_eq!(store.set(StoreMode::Set, KEY, new(largest - 3, 1), 0, NOW), Err(Refusal::TooLarge));
    assert!(store.set(StoreMode::Set, KEY, new(largest - 4, 1), 0, NOW).is_ok());
    assert!(store.set(StoreMode::Set, KEY, new(largest, 0), 0, NOW).is_ok());

    assert_eq!(store.concat(ConcatMode::Append, KEY, b"1", 0, NOW), Err(Refusal::NotStored));
    assert_eq!(store.concat(ConcatMode::Append, KEY, &bytes, 0, NOW), Err(Refusal::TooLarge));
}

#[test]
fn a_flush_with_a_delay_takes_what_was_stored_before_it() {
    let mut store = store();
    set(&mut store, b"a", b"v", 0, NOW);
    store.flush(10, NOW);
    set(&mut store, b"b", b"v", 0, NOW + secs(9));
    assert_eq!(store.size(NOW + secs(9)).0, 2);
    set(&mut store, b"c", b"v", 0, NOW + secs(10));
    assert_eq!(store.size(NOW + secs(10)).0, 1);
    assert!(value(&mut store, b"c", NOW + secs(11)).is_some());
}

#[test]
fn a_flush_takes_the_place_of_one_that_waits() {
    let mut store = store();
    set(&mut store, KEY, b"v", 0, NOW);
    store.flush(10, NOW);
    store.flush(0, NOW);
    assert_eq!(store.size(NOW), (0, 0));
    set(&mut store, KEY, b"v", 0, NOW);
    store.flush(10, NOW);
    // In 1970.
    store.flush(MAX_RELATIVE + 1, NOW);
    assert_eq!(store.size(NOW + secs(11)).0, 1);

    store.flush(10, NOW);
    store.clear();
    set(&mut store, KEY, b"v", 0, NOW);
    assert_eq!(store.size(NOW + secs(11)).0, 1);
}
