//! The Rust clients that `cargo xtask bench` measures: arguments CLIENT SERVERS WORKLOAD VALUE_LENGTH BUDGET, as the C
//! programs beside it take them, and the same line as the result.

mod measure;
mod ring;

use std::error::Error;

use async_memcached::AsciiProtocol as _;
use measure::{Budget, QUEUED, measure, measure_in_task};
use omcache::{Command, Expiration, Item, Mode};
use tokio::runtime::Runtime;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [client, servers, workload, len, budget] = arguments.as_slice() else {
        return Err("arguments: CLIENT SERVERS WORKLOAD VALUE_LENGTH BUDGET".into());
    };
    let keys: Vec<String> = (0..measure::key_count(workload)).map(|n| format!("key_{n:012}")).collect();
    let (value, budget) = (vec![b'v'; len.parse()?], budget.parse()?);
    let run = Run { servers, workload, keys: &keys, value: &value, budget };
    match client.as_str() {
        "omcache" => run.omcache(),
        "omcache-lent" => run.omcache_lent(),
        "omcache-tokio" => run.omcache_tokio(),
        "memcache" => run.memcache(),
        "async-memcached" => run.async_memcached(),
        "ring" => ring::run(servers.parse()?),
        other => Err(format!("no client {other}").into()),
    }
}

struct Run<'a> {
    servers: &'a str,
    workload: &'a str,
    keys: &'a [String],
    value: &'a [u8],
    budget: Budget,
}

impl Run<'_> {
    fn key(&self, at: usize) -> &str {
        &self.keys[at % self.keys.len()]
    }

    fn no_such_workload(&self) -> Result<(), Box<dyn Error>> {
        Err(format!("unsupported: {}", self.workload).into())
    }

    fn omcache(&self) -> Result<(), Box<dyn Error>> {
        let mut client = omcache::Client::connect_to(self.servers)?;
        for key in self.keys {
            assert!(client.set(key, self.value, Expiration::NEVER)?.is_stored());
        }
        match self.workload {
            "get" => measure(self.budget, |at| {
                let value = client.get(self.key(at)).unwrap().unwrap();
                assert_eq!(value.data.len(), self.value.len());
                1
            }),
            "set" => measure(self.budget, |at| {
                assert!(client.set(self.key(at), self.value, Expiration::NEVER).unwrap().is_stored());
                1
            }),
            "queue" => measure(self.budget, |_| {
                for key in self.keys.iter().cycle().take(QUEUED) {
                    client.queue(&Command::Store(Mode::Set, Item::new(key, self.value))).unwrap();
                }
                assert!(client.flush().unwrap().failures.is_empty());
                QUEUED
            }),
            _ => measure(self.budget, |_| {
                for value in client.get_multi(self.keys) {
                    assert_eq!(value.unwrap().unwrap().data.len(), self.value.len());
                }
                self.keys.len()
            }),
        }
        Ok(())
    }

    /// Values are looked at where they were received to.
    fn omcache_lent(&self) -> Result<(), Box<dyn Error>> {
        let mut client = omcache::Client::connect_to(self.servers)?;
        for key in self.keys {
            assert!(client.set(key, self.value, Expiration::NEVER)?.is_stored());
        }
        match self.workload {
            "get" => measure(self.budget, |at| {
                let len = client.get_with(self.key(at), |value| value.data.len()).unwrap();
                assert_eq!(len, Some(self.value.len()));
                1
            }),
            batch if batch.starts_with("get") => measure(self.budget, |_| {
                let found = client.get_multi_with(self.keys, |_, value| {
                    assert_eq!(value.data.len(), self.value.len());
                });
                assert!(found.into_iter().all(|found| found.unwrap()));
                self.keys.len()
            }),
            _ => return self.no_such_workload(),
        }
        Ok(())
    }

    fn omcache_tokio(&self) -> Result<(), Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = omcache::Client::connect_to(self.servers)?;
        let client = runtime.block_on(async { omcache::aio::AsyncClient::new(client) });
        for key in self.keys {
            assert!(runtime.block_on(client.set(key, self.value, Expiration::NEVER))?.is_stored());
        }
        match self.workload {
            "get" => runtime.block_on(measure_in_task(self.budget, async |at| {
                let value = client.get(self.key(at)).await.unwrap().unwrap();
                assert_eq!(value.data.len(), self.value.len());
                1
            })),
            "set" => runtime.block_on(measure_in_task(self.budget, async |at| {
                let stored = client.set(self.key(at), self.value, Expiration::NEVER).await;
                assert!(stored.unwrap().is_stored());
                1
            })),
            batch if batch.starts_with("get") => runtime.block_on(measure_in_task(self.budget, async |_| {
                for value in client.get_multi(self.keys).await {
                    assert_eq!(value.unwrap().unwrap().data.len(), self.value.len());
                }
                self.keys.len()
            })),
            _ => return self.no_such_workload(),
        }
        Ok(())
    }

    fn memcache(&self) -> Result<(), Box<dyn Error>> {
        let urls: Vec<String> =
            self.servers.split(',').map(|server| format!("memcache://{server}?protocol=ascii")).collect();
        let client = memcache::connect(urls)?;
        for key in self.keys {
            client.set(key, self.value, 0)?;
        }
        match self.workload {
            "get" => measure(self.budget, |at| {
                let value: Vec<u8> = client.get(self.key(at)).unwrap().unwrap();
                assert_eq!(value.len(), self.value.len());
                1
            }),
            "set" => measure(self.budget, |at| {
                client.set(self.key(at), self.value, 0).unwrap();
                1
            }),
            batch if batch.starts_with("get") => {
                let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
                measure(self.budget, |_| {
                    let found: std::collections::HashMap<String, Vec<u8>> = client.gets(&keys).unwrap();
                    assert_eq!(found.len(), keys.len());
                    keys.len()
                });
            }
            _ => return self.no_such_workload(),
        }
        Ok(())
    }

    /// It has one server.
    fn async_memcached(&self) -> Result<(), Box<dyn Error>> {
        if self.servers.contains(',') {
            return self.no_such_workload();
        }
        let runtime: Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let kind = if self.servers.starts_with('/') { "unix" } else { "tcp" };
        let mut client =
            runtime.block_on(async_memcached::Client::new(format!("{kind}://{}", self.servers)))?;
        for key in self.keys {
            runtime.block_on(client.set(key, self.value, None, None))?;
        }
        match self.workload {
            "get" => runtime.block_on(measure_in_task(self.budget, async |at| {
                let value = client.get(self.key(at)).await.unwrap().unwrap();
                assert_eq!(value.data.map(|data| data.len()), Some(self.value.len()));
                1
            })),
            "set" => runtime.block_on(measure_in_task(self.budget, async |at| {
                client.set(self.key(at), self.value, None, None).await.unwrap();
                1
            })),
            batch if batch.starts_with("get") => runtime.block_on(measure_in_task(self.budget, async |_| {
                let found = client.get_multi(self.keys).await.unwrap();
                assert_eq!(found.len(), self.keys.len());
                self.keys.len()
            })),
            _ => return self.no_such_workload(),
        }
        Ok(())
    }
}
