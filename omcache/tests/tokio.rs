//! The client on tokio: real servers that are stopped and killed, many commands at once, futures that are dropped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod memcached;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use omcache::aio::AsyncClient;
use omcache::{Client, ErrorKind, Expiration, Item, Mode, Stored};

use memcached::Memcached;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn client_of(servers: &[&Memcached]) -> Client {
    let mut builder = Client::builder()
        .timeout(Duration::from_secs(5))
        .dead_timeout(Duration::from_millis(500))
        .connect_timeout(Duration::from_millis(500))
        .reconnect_timeout(Duration::from_secs(1));
    for server in servers {
        builder = builder.server(server.address()).unwrap();
    }
    builder.build().unwrap()
}

#[test]
fn commands_answer_as_the_blocking_ones_do() {
    let server = Memcached::start();
    block_on(async {
        let client = AsyncClient::new(client_of(&[&server]));
        assert_eq!(client.get("a").await.unwrap(), None);
        assert!(client.set("a", "1", Expiration::NEVER).await.unwrap().is_stored());
        assert_eq!(client.store(Mode::Add, Item::new("a", "2")).await.unwrap(), Stored::Exists);
        assert_eq!(client.increment("a", 5).await.unwrap(), Some(6));
        assert_eq!(client.decrement("a", 2).await.unwrap(), Some(4));
        assert_eq!(client.get("a").await.unwrap().unwrap().data, "4");
        assert!(client.touch("a", Duration::from_secs(60)).await.unwrap());
        assert_eq!(client.gat("a", Expiration::NEVER).await.unwrap().unwrap().data, "4");
        assert!(client.delete("a").await.unwrap());
        assert!(!client.delete("a").await.unwrap());
        assert_eq!(client.get("").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_thousand_gets_at_once_share_one_connection() {
    let server = Memcached::start();
    block_on(async {
        let client = AsyncClient::new(client_of(&[&server]));
        let keys: Vec<_> = (0..1000).map(|n| format!("key:{n}")).collect();
        let items: Vec<_> = keys.iter().map(|key| Item::new(key, key)).collect();
        assert!(client.set_multi(&items).await.into_iter().all(|stored| stored.unwrap().is_stored()));
        let tasks: Vec<_> = keys
            .iter()
            .map(|key| {
                let (client, key) = (client.clone(), key.clone());
                tokio::spawn(async move { (client.get(&key).await, key) })
            })
            .collect();
        for task in tasks {
            let (value, key) = task.await.unwrap();
            assert_eq!(value.unwrap().unwrap().data, key.as_bytes());
        }
        for (value, key) in client.get_multi(&keys).await.into_iter().zip(&keys) {
            assert_eq!(value.unwrap().unwrap().data, key.as_bytes());
        }
        let mut observer = client_of(&[&server]);
        let stats = observer.stats(0, "").unwrap();
        let opened = stats.iter().find(|(name, _)| name == "curr_connections").unwrap();
        // memcached counts listening sockets and the observer too; a connection a task would be a thousand.
        assert!(String::from_utf8_lossy(&opened.1).parse::<u32>().unwrap() < 10, "{opened:?}");
    });
}

#[test]
fn large_values_pass_in_both_directions_at_once() {
    let server = Memcached::start();
    block_on(async {
        let client = AsyncClient::new(client_of(&[&server]));
        let value = vec![b'v'; 900_000];
        let keys: Vec<_> = (0..20).map(|n| format!("large:{n}")).collect();
        let items: Vec<_> = keys.iter().map(|key| Item::new(key, &value)).collect();
        // More than the send limit in all: those that do not fit are refused, and say so.
        for stored in client.set_multi(&items[..10]).await {
            assert!(stored.unwrap().is_stored());
        }
        for found in client.get_multi(&keys[..10]).await {
            assert_eq!(found.unwrap().unwrap().data, value);
        }
    });
}

#[test]
fn a_dropped_future_leaves_the_connection_in_order() {
    let server = Memcached::start();
    block_on(async {
        let client = AsyncClient::new(client_of(&[&server]));
        for n in 0..200 {
            let (key, value) = (format!("key:{n}"), format!("value {n}"));
            assert!(client.set(&key, &value, Expiration::NEVER).await.unwrap().is_stored());
            // Polled once, so that it is sent, and then dropped.
            let dropped = format!("key:{}", n / 2);
            let _ = tokio::time::timeout(Duration::ZERO, client.get(&dropped)).await;
            assert_eq!(client.get(&key).await.unwrap().unwrap().data, value);
        }
    });
}

#[test]
fn a_hung_server_ends_in_a_timeout_and_its_keys_go_elsewhere() {
    let (a, b) = (Memcached::start(), Memcached::start());
    block_on(async {
        let client = AsyncClient::new(client_of(&[&a, &b])).with_timeout(Some(Duration::from_millis(200)));
        let keys: Vec<_> = (0..100).map(|n| format!("key:{n}")).collect();
        for key in &keys {
            assert!(client.set(key, key, Expiration::NEVER).await.unwrap().is_stored());
        }
        b.pause();
        let began = Instant::now();
        let answers = client.get_multi(&keys).await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        let failed = answers.iter().filter(|answer| answer.is_err()).count();
        assert!(failed > 0 && failed < keys.len(), "{failed}");
        for (answer, key) in answers.into_iter().zip(&keys) {
            match answer {
                Ok(value) => assert_eq!(value.unwrap().data, key.as_bytes()),
                Err(error) => assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, true)),
            }
        }
        // The connection dies by the dead timeout, the next handshake by its own; then every key answers.
        let deadline = Instant::now() + Duration::from_secs(10);
        while client.get_multi(&keys).await.iter().any(Result::is_err) {
            assert!(Instant::now() < deadline, "keys of the hung server still fail");
        }
        b.resume();
    });
}

#[test]
fn a_killed_server_fails_what_was_sent_and_nothing_else() {
    let (a, mut b) = (Memcached::start(), Memcached::start());
    block_on(async {
        let client = AsyncClient::new(client_of(&[&a, &b]));
        let keys: Vec<_> = (0..100).map(|n| format!("key:{n}")).collect();
        for key in &keys {
            assert!(client.set(key, key, Expiration::NEVER).await.unwrap().is_stored());
        }
        b.kill();
        for round in 0..3 {
            for (answer, key) in client.get_multi(&keys).await.into_iter().zip(&keys) {
                match answer {
                    Ok(Some(value)) => assert_eq!(value.data, key.as_bytes()),
                    Ok(None) => {}
                    Err(error) => {
                        assert!(round == 0 && error.kind() == ErrorKind::Unknown, "{round}: {error:?}")
                    }
                }
            }
        }
    });
}

#[test]
fn batches_side_by_side_have_their_own_results() {
    let servers = [Memcached::start(), Memcached::start()];
    block_on(async {
        let client = AsyncClient::new(client_of(&[&servers[0], &servers[1]]));
        let tasks: Vec<_> = (0..20)
            .map(|task| {
                let client = client.clone();
                tokio::spawn(async move {
                    let keys: Vec<_> = (0..700).map(|n| format!("{task}:{n}")).collect();
                    let even = keys.iter().step_by(2).map(|key| Item::new(key, key)).collect::<Vec<_>>();
                    assert!(
                        client.set_multi(&even).await.into_iter().all(|stored| stored.unwrap().is_stored())
                    );
                    let (other, key) = (client.clone(), keys[2].clone());
                    let single = tokio::spawn(async move { other.get(&key).await });
                    let values = client.get_multi(&keys).await;
                    assert_eq!(single.await.unwrap().unwrap().unwrap().data, keys[2]);
                    for (n, (key, value)) in keys.iter().zip(values).enumerate() {
                        let expected = n.is_multiple_of(2).then(|| key.clone().into_bytes());
                        assert_eq!(value.unwrap().map(|value| value.data.to_vec()), expected, "{key}");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let invalid = client.get_multi(&["good", "", "also good"]).await;
        assert!(invalid[0].as_ref().unwrap().is_none() && invalid[2].as_ref().unwrap().is_none());
        assert_eq!(invalid[1].as_ref().unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_batch_larger_than_the_send_buffers_goes_through() {
    const KEYS: usize = 100_000;
    let (one, other) = (Memcached::start(), Memcached::start());
    let keys: Vec<_> = (0..KEYS).map(|n| format!("key:{n}")).collect();
    let value = "v".repeat(1024);
    let items: Vec<_> = keys.iter().map(|key| Item::new(key, &value)).collect();
    block_on(async {
        let mut client = client_of(&[&one, &other]);
        client.set_timeout(Some(Duration::from_secs(120)));
        let client = AsyncClient::new(client);
        assert!(client.set_multi(&items).await.into_iter().all(|stored| stored.unwrap().is_stored()));
        let values = client.get_multi(&keys).await;
        assert!(values.into_iter().all(|found| found.unwrap().unwrap().data == value));
    });
}

#[test]
fn single_commands_wait_for_room_as_well() {
    let server = Memcached::start();
    let value = "v".repeat(10_000);
    block_on(async {
        let client = Client::builder().server(server.address()).unwrap().send_limit(30_000).build().unwrap();
        let client = AsyncClient::new(client);
        assert!(client.get("absent").await.unwrap().is_none());
        // More than the sockets take while nothing is read.
        server.pause();
        let tasks: Vec<_> = (0..1500)
            .map(|n| {
                let (client, value) = (client.clone(), value.clone());
                tokio::spawn(async move { client.set(&format!("key:{n}"), &value, Expiration::NEVER).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(tasks.iter().all(|task| !task.is_finished()), "none is refused");
        server.resume();
        for task in tasks {
            assert!(task.await.unwrap().unwrap().is_stored());
        }
        // One that never has room is refused at once.
        let error = client.set("key", &"v".repeat(40_000), Expiration::NEVER).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SendBufferFull);
        // One that is given up while it waits was not sent.
        server.pause();
        let hasty = client.clone().with_timeout(Some(Duration::from_millis(100)));
        let items: Vec<_> = (0..1000).map(|_| Item::new("key", &value)).collect();
        let errors: Vec<_> = hasty.set_multi(&items).await.into_iter().map(Result::unwrap_err).collect();
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::Timeout), "{errors:?}");
        assert!(errors[0].was_sent() && !errors[999].was_sent());
        server.resume();
        assert!(client.get("absent").await.unwrap().is_none());
    });
}

#[test]
fn a_client_whose_runtime_is_gone_fails() {
    let server = Memcached::start();
    let client = block_on(async {
        let client = AsyncClient::new(client_of(&[&server]));
        assert!(client.get("absent").await.unwrap().is_none());
        client.with_timeout(None)
    });
    block_on(async {
        let get = tokio::time::timeout(Duration::from_secs(5), client.get("absent")).await;
        assert_eq!(get.expect("it waits for nobody").unwrap_err().kind(), ErrorKind::System);
        let values = tokio::time::timeout(Duration::from_secs(5), client.get_multi(&["a", "b"])).await;
        for value in values.expect("it waits for nobody") {
            assert_eq!(value.unwrap_err().kind(), ErrorKind::System);
        }
    });
    // Also for those that wait when it goes.
    server.pause();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, waiting) = runtime.block_on(async {
        let client = AsyncClient::new(client_of(&[&server])).with_timeout(None);
        let of_task = client.clone();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let elsewhere = std::thread::spawn(move || {
            block_on(async {
                sender.send(()).unwrap();
                of_task.get("key").await
            })
        });
        receiver.await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        (client, elsewhere)
    });
    drop(runtime);
    assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::System);
    drop(client);
}

#[test]
fn each_command_has_its_own_deadline() {
    let server = Memcached::start();
    block_on(async {
        let client = AsyncClient::new(client_of(&[&server]));
        assert!(client.set("key", "value", Expiration::NEVER).await.unwrap().is_stored());
        server.pause();
        let patient: Vec<_> = (0..50)
            .map(|_| {
                let client = client.clone().with_timeout(None);
                tokio::spawn(async move { client.get("key").await })
            })
            .collect();
        tokio::task::yield_now().await;
        // Later ones whose deadlines come first, and not in their order.
        let began = Instant::now();
        let hasty: Vec<_> = [150, 50, 100]
            .into_iter()
            .map(|millis| {
                let client = client.clone().with_timeout(Some(Duration::from_millis(millis)));
                tokio::spawn(async move {
                    let error = client.get("key").await.unwrap_err();
                    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, true));
                    (Duration::from_millis(millis), began.elapsed())
                })
            })
            .collect();
        for task in hasty {
            let (timeout, elapsed) = task.await.unwrap();
            assert!(
                elapsed >= timeout && elapsed < timeout + Duration::from_millis(100),
                "{timeout:?}: {elapsed:?}"
            );
        }
        assert!(patient.iter().all(|task| !task.is_finished()), "their time is not over");
        server.resume();
        for task in patient {
            assert_eq!(task.await.unwrap().unwrap().unwrap().data, "value");
        }
    });
}

#[test]
fn commands_proceed_while_others_time_out() {
    let (a, b) = (Memcached::start(), Memcached::start());
    block_on(async {
        let client = AsyncClient::new(client_of(&[&a, &b]));
        let keys: Vec<_> = (0..100).map(|n| format!("key:{n}")).collect();
        for key in &keys {
            assert!(client.set(key, key, Expiration::NEVER).await.unwrap().is_stored());
        }
        b.pause();
        let began = Instant::now();
        let tasks: Vec<_> = keys
            .iter()
            .zip(1..)
            .map(|(key, n)| {
                let client = client.clone().with_timeout(Some(Duration::from_millis(n)));
                let key = key.clone();
                tokio::spawn(async move {
                    let answer = client.get(&key).await;
                    if let Ok(value) = &answer {
                        assert_eq!(value.as_ref().unwrap().data, key.as_bytes());
                    }
                    answer.map_err(|error| (error.kind(), began.elapsed() >= Duration::from_millis(n)))
                })
            })
            .collect();
        let mut failed = 0;
        for task in tasks {
            if let Err(error) = task.await.unwrap() {
                assert_eq!(error, (ErrorKind::Timeout, true));
                failed += 1;
            }
        }
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
        assert!(failed > 0 && failed < keys.len(), "{failed}");
        b.resume();
        // What was given up is answered now, to nobody.
        for key in &keys {
            assert_eq!(client.get(key).await.unwrap().unwrap().data, key.as_bytes());
        }
    });
}

#[test]
fn a_future_that_is_not_polled_holds_up_no_other() {
    let (a, b) = (Memcached::start(), Memcached::start());
    block_on(async {
        // No timer helps within the time of this test.
        let builder =
            Client::builder().timeout(Duration::from_secs(30)).dead_timeout(Duration::from_secs(30));
        let builder = builder.server(a.address()).unwrap().server(b.address()).unwrap();
        let client = AsyncClient::new(builder.build().unwrap());
        let keys: Vec<_> = (0..20).map(|n| format!("key:{n}")).collect();
        for key in &keys {
            assert!(client.set(key, key, Expiration::NEVER).await.unwrap().is_stored());
        }
        for first in &keys {
            for second in &keys {
                // Polled once, so that it waits for its answer alone.
                let mut waits = pin!(client.get(first));
                let early = poll_fn(|context| Poll::Ready(waits.as_mut().poll(context))).await;
                let other = tokio::time::timeout(Duration::from_secs(3), client.get(second)).await;
                assert_eq!(other.expect("it is served").unwrap().unwrap().data, second.as_bytes());
                let value = match early {
                    Poll::Ready(value) => value,
                    Poll::Pending => waits.await,
                };
                assert_eq!(value.unwrap().unwrap().data, first.as_bytes());
            }
        }
    });
}

#[test]
fn a_command_that_is_alone_ends_at_its_deadline_and_by_the_loss_of_its_connection() {
    let mut server = Memcached::start();
    block_on(async {
        let client = AsyncClient::new(client_of(&[&server]));
        // The timer is armed by the first; the others come before it is over.
        for _ in 0..3 {
            assert!(client.set("key", "value", Expiration::NEVER).await.unwrap().is_stored());
        }
        server.pause();
        let hasty = client.clone().with_timeout(Some(Duration::from_millis(50)));
        for _ in 0..3 {
            let began = Instant::now();
            let error = hasty.get("key").await.unwrap_err();
            assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Timeout, true));
            assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
        }
        server.resume();
        assert_eq!(client.get("key").await.unwrap().unwrap().data, "value");
        server.pause();
        let of_task = client.clone().with_timeout(None);
        let waits = tokio::spawn(async move { of_task.get("key").await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        server.kill();
        let ended = tokio::time::timeout(Duration::from_secs(3), waits).await;
        assert_eq!(ended.expect("it is told").unwrap().unwrap_err().kind(), ErrorKind::Unknown);
    });
}

#[test]
fn threads_with_runtimes_of_their_own_share_a_client() {
    let (a, b) = (Memcached::start(), Memcached::start());
    block_on(async {
        let client = AsyncClient::new(client_of(&[&a, &b]));
        let (sender, mut done) = tokio::sync::mpsc::unbounded_channel();
        for thread in 0..4 {
            let (client, sender) = (client.clone(), sender.clone());
            std::thread::spawn(move || {
                block_on(async {
                    for n in 0..500 {
                        let key = format!("{thread}:{n}");
                        assert!(client.set(&key, &key, Expiration::NEVER).await.unwrap().is_stored());
                        // Some are polled once and dropped.
                        let before = format!("{thread}:{}", n / 2);
                        if n % 3 == 0 {
                            let _ = tokio::time::timeout(Duration::ZERO, client.get(&before)).await;
                        }
                        assert_eq!(client.get(&key).await.unwrap().unwrap().data, key.as_bytes());
                    }
                });
                sender.send(()).unwrap();
            });
        }
        drop(sender);
        for _ in 0..4 {
            let ended = tokio::time::timeout(Duration::from_secs(30), done.recv()).await;
            assert_eq!(ended.expect("none hangs"), Some(()), "a thread failed");
        }
    });
}
