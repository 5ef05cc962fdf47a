//! The methods on many keys: all servers work at once.

use omcache::driver::proto::{CounterMode, Key, Request, StoreMode};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping};

use super::PylibmcClient;
use super::arguments::{Delta, Given, Seconds};
use super::batch::{Batch, Reply};
use super::code::{self, Code};
use super::key::{Keys, Sent, bad};
use super::rules::Rules;
use super::single::counter;
use super::store::Verb;
use super::value::{self, Compression, Stored};

/// The keys of a call, as they are sent.
fn sent_keys<'py>(
    keys: &Keys<'_>,
    command: &str,
    given: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
    sent: &mut Vec<Sent<'py>>,
    mut keep: impl FnMut(Bound<'py, PyAny>),
) -> PyResult<()> {
    for key in given {
        let key = key?;
        let one = keys.sent(&key)?;
        keys.verify(command, &one)?;
        sent.push(one);
        keep(key);
    }
    Ok(())
}

/// The keys as the protocol has them; none for an empty one.
fn wires<'s>(sent: &'s [Sent<'_>]) -> Vec<Option<Key<'s>>> {
    sent.iter().map(Sent::key).collect()
}

#[inline]
fn at<T: Copy>(all: &[Option<T>], place: u32) -> Option<T> {
    all.get(place as usize).copied().flatten()
}

/// The places of so many requests. A batch has less than 2^32 keys: their references alone would take 32 GiB.
fn places(count: usize) -> std::ops::Range<u32> {
    0..u32::try_from(count).unwrap_or(u32::MAX)
}

#[cold]
fn failed(py: Python<'_>, command: &str, batch: &Batch, reply: &Reply) -> PyErr {
    code::failed(py, reply.code, command, &batch.reason(reply))
}

impl PylibmcClient {
    /// Sends requests that are answered only where they fail, and waits until all have ended.
    fn change_many<'r>(
        &self,
        py: Python<'_>,
        rules: &Rules,
        count: usize,
        request: impl Fn(u32) -> Option<Request<'r>> + Send,
    ) -> PyResult<Batch> {
        self.with(py, |session| match rules.quiet {
            false => session.many(places(count), request),
            true => session.leave(places(count), request),
        })?
    }

    fn put_multi<'py>(
        slf: &Bound<'py, Self>,
        mode: StoreMode,
        command: &str,
        mapping: &Bound<'py, PyAny>,
        time: Seconds,
        key_prefix: Option<&Bound<'_, PyAny>>,
        compression: Compression,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let client = slf.get();
        let rules = client.rules();
        let keys = Keys::with_prefix(&rules, key_prefix)?;
        let items = mapping
            .cast::<PyMapping>()
            .map_err(|_| PyTypeError::new_err("a mapping of keys to values is wanted"))?
            .items()?;
        let mut sent = Vec::with_capacity(items.len());
        let mut stored = Vec::with_capacity(items.len());
        let mut given = Vec::with_capacity(items.len());
        for item in &items {
            let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
            sent.push(keys.sent(&key)?);
            stored.push(value::store(slf.as_any(), &rules, &value, compression)?);
            given.push(key);
        }
        let requests: Vec<Option<(Key<'_>, &[u8], u32)>> = sent
            .iter()
            .zip(&stored)
            .map(|(sent, Stored { bytes, flags })| {
                Some((sent.key().filter(|_| keys.allows(sent))?, bytes.as_bytes(), *flags))
            })
            .collect();
        let batch = client.change_many(py, &rules, requests.len(), |place| {
            let (key, value, flags) = at(&requests, place)?;
            Some(Verb::Store(mode).request(key, value, flags, time.0, true))
        })?;
        let mut failures: Vec<usize> =
            (0..requests.len()).filter(|&place| requests.get(place).is_some_and(Option::is_none)).collect();
        for reply in batch.replies.iter().filter(|reply| reply.code != Code::SUCCESS) {
            if !reply.code.is_soft() {
                return Err(failed(py, command, &batch, reply));
            }
            failures.push(reply.place as usize);
        }
        failures.sort_unstable();
        PyList::new(py, failures.into_iter().filter_map(|place| given.get(place)).collect::<Vec<_>>())
    }
}

#[pymethods]
impl PylibmcClient {
    /// The values of many keys: a dict with the keys that have one, each being the object that was given.
    ///
    /// `key_prefix` is put before each key on the way to the servers. Where a server can't be asked its keys are left
    /// out; `Error` or one of its subclasses is raised where none can.
    #[pyo3(signature = (keys, key_prefix=None))]
    fn get_multi<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        key_prefix: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let client = slf.get();
        let rules = client.rules();
        let rule = Keys::with_prefix(&rules, key_prefix)?;
        let count = keys.len().unwrap_or_default();
        let (mut sent, mut given) = (Vec::with_capacity(count), Vec::with_capacity(count));
        sent_keys(&rule, "memcached_mget", keys.try_iter()?, &mut sent, |key| given.push(key))?;
        let wires = wires(&sent);
        let request = |quiet| {
            let wires = &wires;
            move |place| at(wires, place).map(|key| Request::Get { key, with_key: false, quiet })
        };
        let batch = client.with(py, |session| {
            let mut batch = session.many(places(wires.len()), request(true))?;
            if rules.replicas > 0 {
                session.read_replicas(&mut batch, request(false))?;
            }
            Ok::<_, PyErr>(batch)
        })??;
        let found = PyDict::new(py);
        let (mut lost, mut first_lost) = (0, None);
        for reply in &batch.replies {
            match reply.code {
                Code::SUCCESS => {
                    let value = value::load(slf.as_any(), &rules, batch.value(reply), reply.flags)?;
                    if let (Some(value), Some(key)) = (value, given.get(reply.place as usize)) {
                        found.set_item(key, value)?;
                    }
                }
                Code::NOT_FOUND => {}
                _ => {
                    lost += 1;
                    first_lost = first_lost.or(Some(reply));
                }
            }
        }
        match first_lost {
            Some(reply) if lost == wires.iter().flatten().count() => {
                Err(failed(py, "memcached_mget", &batch, reply))
            }
            _ => Ok(found),
        }
    }

    /// Stores many values, and returns a list of the keys whose values were not stored.
    ///
    /// Arguments as for `set`, with `key_prefix` put before each key. What is not the value's fault is raised, when all
    /// has been tried: `TooBig` for a value that the server does not take, and where a server can't be reached.
    #[pyo3(
        signature = (
            keys=Given::Missing, time=Seconds(0), key_prefix=None, min_compress_len=0, compress_level=-1, *,
            mapping=Given::Missing
        ),
        text_signature = "($self, mapping, time=0, key_prefix=None, min_compress_len=0, compress_level=-1)"
    )]
    fn set_multi<'py>(
        slf: &Bound<'py, Self>,
        keys: Given<'py>,
        time: Seconds,
        key_prefix: Option<&Bound<'py, PyAny>>,
        min_compress_len: i64,
        compress_level: i32,
        mapping: Given<'py>,
    ) -> PyResult<Bound<'py, PyList>> {
        let compression = Compression::new(min_compress_len, compress_level)?;
        let items = keys.or(mapping);
        Self::put_multi(
            slf,
            StoreMode::Set,
            "memcached_set_multi",
            items.get()?,
            time,
            key_prefix,
            compression,
        )
    }

    /// Stores many values where the keys have none. As `set_multi`; a key that has a value is in the list.
    #[pyo3(
        signature = (
            keys=Given::Missing, time=Seconds(0), key_prefix=None, min_compress_len=0, compress_level=-1, *,
            mapping=Given::Missing
        ),
        text_signature = "($self, mapping, time=0, key_prefix=None, min_compress_len=0, compress_level=-1)"
    )]
    fn add_multi<'py>(
        slf: &Bound<'py, Self>,
        keys: Given<'py>,
        time: Seconds,
        key_prefix: Option<&Bound<'py, PyAny>>,
        min_compress_len: i64,
        compress_level: i32,
        mapping: Given<'py>,
    ) -> PyResult<Bound<'py, PyList>> {
        let compression = Compression::new(min_compress_len, compress_level)?;
        let items = keys.or(mapping);
        Self::put_multi(
            slf,
            StoreMode::Add,
            "memcached_add_multi",
            items.get()?,
            time,
            key_prefix,
            compression,
        )
    }

    /// Removes many keys; True where each of them was there. A mapping raises `TypeError`.
    #[pyo3(signature = (keys, key_prefix=None))]
    fn delete_multi<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        key_prefix: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<bool> {
        if keys.cast::<PyMapping>().is_ok() {
            return Err(PyTypeError::new_err("keys must be a sequence, not a mapping"));
        }
        let rules = self.rules();
        let rule = Keys::with_prefix(&rules, key_prefix)?;
        let mut sent = Vec::with_capacity(keys.len().unwrap_or_default());
        sent_keys(&rule, "memcached_delete", keys.try_iter()?, &mut sent, drop)?;
        let wires = wires(&sent);
        let batch = self.change_many(py, &rules, wires.len(), |place| {
            at(&wires, place).map(|key| Request::Delete { key, cas: 0, quiet: true })
        })?;
        let mut all = wires.iter().all(Option::is_some);
        for reply in batch.replies.iter().filter(|reply| reply.code != Code::SUCCESS) {
            if reply.code != Code::NOT_FOUND {
                return Err(failed(py, "memcached_delete", &batch, reply));
            }
            all = false;
        }
        Ok(all)
    }

    /// Adds `delta`, at least 0, to the numbers that many keys have as their values.
    ///
    /// Raises `NotFound` where one of the keys has none; the others are counted all the same.
    #[pyo3(
        signature = (keys, key_prefix=None, delta=Delta(1)),
        text_signature = "($self, keys, key_prefix=None, delta=1)"
    )]
    fn incr_multi<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        key_prefix: Option<&Bound<'py, PyAny>>,
        delta: Delta,
    ) -> PyResult<()> {
        let rules = self.rules();
        let rule = Keys::with_prefix(&rules, key_prefix)?;
        let mut sent = Vec::with_capacity(keys.len().unwrap_or_default());
        sent_keys(&rule, "memcached_increment", keys.try_iter()?, &mut sent, drop)?;
        if let Some(empty) = sent.iter().find(|sent| sent.key().is_none()) {
            return Err(bad("memcached_increment", empty));
        }
        let wires = wires(&sent);
        let batch = self.with(py, |session| {
            session.many(places(wires.len()), |place| {
                at(&wires, place).map(|key| counter(CounterMode::Increment, key, delta.0))
            })
        })??;
        let missing = batch.replies.iter().filter(|reply| reply.code == Code::NOT_FOUND).count();
        let mut failures =
            batch.replies.iter().filter(|reply| !matches!(reply.code, Code::SUCCESS | Code::NOT_FOUND));
        match (failures.next(), failures.count()) {
            (None, _) if missing == 0 => Ok(()),
            (None, _) => {
                let reason = format!("{missing} keys not found");
                Err(code::failed(py, Code::NOT_FOUND, "memcached_increment", &reason))
            }
            (Some(only), 0) => Err(failed(py, "memcached_increment", &batch, only)),
            (Some(_), more) => Err(code::general(py, &format!("{} keys failed", missing + 1 + more))),
        }
    }
}
