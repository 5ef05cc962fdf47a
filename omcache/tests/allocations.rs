//! What is allocated: nothing for a get, one buffer for a large value, little for a connection that rests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panics")]

mod memcached;

use allocation_counter::{AllocationInfo, measure};
use memcached::Memcached;
use omcache::testing::Server;
use omcache::{Client, Command, Expiration, Item, Mode};

const NEVER: Expiration = Expiration::NEVER;
const KEYS: usize = 100;
const VALUE: [u8; 100] = [b'v'; 100];

fn keys() -> Vec<String> {
    (0..KEYS).map(|n| format!("key_{n:012}")).collect()
}

fn client(list: &str) -> Client {
    Client::connect_to(list).unwrap()
}

/// A client that has read and written each key once.
fn warm(servers: &[Memcached], keys: &[String]) -> Client {
    let list: Vec<String> = servers.iter().map(Memcached::address).collect();
    let mut client = client(&list.join(","));
    for key in keys {
        assert!(client.set(key, &VALUE, NEVER).unwrap().is_stored());
        assert!(client.get(key).unwrap().is_some());
    }
    client
}

/// Counts this thread's allocations; the servers are other processes.
fn allocated(run: impl FnOnce()) -> AllocationInfo {
    measure(run)
}

#[test]
fn a_get_or_set_allocates_nothing() {
    let servers = Memcached::start_many::<4>();
    let keys = keys();
    let mut client = warm(&servers, &keys);
    let of_sets = allocated(|| {
        for key in keys.iter().cycle().take(1_000) {
            assert!(client.set(key, &VALUE, NEVER).unwrap().is_stored());
        }
    });
    assert_eq!(of_sets.count_total, 0, "{of_sets:?}");
    // A value that is taken as `Bytes` keeps its part of the receive buffer. A buffer of 64 KiB holds hundreds of them, and
    // is used again when all are gone: what is allocated is the owner that they share, once a buffer.
    let of_gets = allocated(|| {
        for key in keys.iter().cycle().take(10_000) {
            assert_eq!(client.get(key).unwrap().unwrap().data.len(), VALUE.len());
        }
    });
    assert!(of_gets.count_total <= 10_000 / 100, "{of_gets:?}");
    let of_lent = allocated(|| {
        for key in keys.iter().cycle().take(10_000) {
            assert_eq!(client.get_with(key, |value| value.data.len()).unwrap(), Some(VALUE.len()));
        }
    });
    assert_eq!(of_lent.count_total, 0, "{of_lent:?}");
    let of_misses = allocated(|| {
        for _ in 0..1_000 {
            assert!(client.get("absent").unwrap().is_none());
        }
    });
    assert_eq!(of_misses.count_total, 0, "{of_misses:?}");
}

#[test]
fn batches_allocate_no_more_than_their_results() {
    let servers = Memcached::start_many::<4>();
    let keys = keys();
    let mut client = warm(&servers, &keys);
    let items: Vec<Item<'_>> = keys.iter().map(|key| Item::new(key, &VALUE)).collect();
    drop(client.get_multi(&keys));
    let of_batches = allocated(|| {
        for _ in 0..100 {
            assert!(client.get_multi(&keys).into_iter().all(|value| value.unwrap().is_some()));
        }
    });
    // A batch has its list of results and the places of its keys, however many they are.
    assert!(of_batches.count_total <= 100 * 12, "{of_batches:?}");
    let of_lent = allocated(|| {
        for _ in 0..1_000 {
            let found = client.get_multi_with(&keys, |_, value| assert_eq!(value.data.len(), VALUE.len()));
            assert!(found.into_iter().all(Result::unwrap));
        }
    });
    // Two each. Besides, once and for all, what a server's part needs (a buffer to send, one to receive, a list of
    // requests) is made or grows when more of the servers answer at one time than ever before.
    assert!(of_lent.count_total <= 1_000 * 2 + 3 * 4, "{of_lent:?}");
    let mut queue = || {
        for item in items.iter().cycle().take(1_000) {
            client.queue(&Command::Store(Mode::Set, *item)).unwrap();
        }
        assert!(client.flush().unwrap().failures.is_empty());
    };
    queue();
    let of_queues = allocated(|| {
        for _ in 0..10 {
            queue();
        }
    });
    assert!(of_queues.count_total <= 10 * 64, "{of_queues:?}");
}

#[test]
fn a_queue_that_is_never_flushed_holds_no_more_than_its_buffers() {
    let servers = Memcached::start_many::<2>();
    let keys = keys();
    let mut client = warm(&servers, &keys);
    let of_queue = allocated(|| {
        for key in keys.iter().cycle().take(500_000) {
            let _ = client.queue(&Command::Store(Mode::Set, Item::new(key, "v"))).unwrap();
        }
    });
    let bytes = of_queue.bytes_max;
    assert!(bytes < 3 << 20, "{bytes} bytes for what the servers have settled long since");
    assert!(client.flush().unwrap().failures.is_empty());
}

#[test]
fn a_large_value_is_read_into_the_buffer_that_is_handed_out() {
    const LEN: usize = 900 * 1024;
    let servers = Memcached::start_many::<1>();
    let mut client = warm(&servers, &keys());
    assert!(client.set("large", &vec![b'l'; LEN], NEVER).unwrap().is_stored());
    drop(client.get("large").unwrap());
    let mut values = Vec::with_capacity(20);
    let of_gets = allocated(|| {
        for _ in 0..20 {
            values.push(client.get("large").unwrap().unwrap().data);
        }
    });
    assert!(values.iter().all(|value| value.len() == LEN));
    // Each value has memory of its own, and no second copy is made on the way.
    let bytes = usize::try_from(of_gets.bytes_total).unwrap();
    assert!(bytes < 20 * (LEN + LEN / 4), "{bytes} bytes for 20 values of {LEN}");
}

/// A client of these servers that has used each of its connections, for values of this length.
fn rested(servers: &[Server], len: usize) -> Client {
    let list: Vec<_> = servers.iter().map(Server::address).collect();
    // It has no ring, whose memory is no connection's.
    let builder = Client::builder().distribution_by_name("modula").unwrap();
    let mut client = builder.servers(list.join(",")).unwrap().build().unwrap();
    for index in 0..servers.len() {
        client.noop(index).unwrap();
    }
    let value = vec![b'v'; len];
    for n in 0..servers.len() * 10 {
        let key = format!("key{n}");
        assert!(client.set(&key, &value, NEVER).unwrap().is_stored());
        assert_eq!(client.get(&key).unwrap().unwrap().data.len(), len);
    }
    // A batch for each server, of as many requests and nearly as many bytes as may stay with its connection.
    for index in 0..servers.len() {
        let names = (0..).map(|n| format!("{n:014}")).filter(|n| client.server_for_key(n) == Some(index));
        let absent: Vec<_> = names.take(39).collect();
        assert!(client.get_multi(&absent).into_iter().all(|value| value.unwrap().is_none()));
    }
    client
}

#[test]
fn a_connection_that_rests_keeps_little() {
    const SERVERS: usize = 64;
    let servers: Vec<Server> = (0..SERVERS).map(|_| Server::start().unwrap()).collect();
    for len in [10, 300 * 1024] {
        // What all of a client's connections share is the same for half of them.
        let [of_all, of_half] = [&servers[..], &servers[SERVERS / 2..]].map(|servers| {
            let mut made = None;
            let kept = allocated(|| made = Some(rested(servers, len)));
            drop(made);
            kept
        });
        let each = (of_all.bytes_current - of_half.bytes_current) / i64::try_from(SERVERS / 2).unwrap();
        assert!(each <= 4 * 1024, "{each} bytes a connection after values of {len}: {of_all:?}, {of_half:?}");
    }
}
