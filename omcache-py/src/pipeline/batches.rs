//! Commands on many keys at once, which go on in parts where the send buffers have no room for all.

use omcache::driver::proto::{Request, StoreMode};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::{Pending, Pipeline, Ticket, UnderWay};
use crate::answer::Answer;
use crate::arguments::{expiration_of, items_of, key_of, keys_of, truth};
use crate::call::{Batch, Gathered, StoredBatch};
use crate::core::Core;
use crate::errors;
use crate::op::{Op, OpId};
use crate::requests::Item;

/// What a batch is once it is submitted.
#[derive(IntoPyObject)]
pub(super) enum Submitted {
    /// Under way; its result comes with this ticket.
    Ticket(Ticket),
    /// Left to itself: what is known of it at once, which is all that will be told.
    Known(Py<PyAny>),
}

/// What is asked for each key.
enum Kind {
    Get,
    GetAndTouch { expiration: u32 },
    Set { values: Vec<Py<PyBytes>>, expiration: i64, flags: u32 },
    Delete,
}

/// A batch that is under way.
pub(super) struct Many {
    batch: StoredBatch,
    kind: Kind,
    gathered: Gathered,
    /// The places of the part that is under way.
    part: std::ops::Range<usize>,
}

impl Many {
    fn new(py: Python<'_>, batch: Batch<'_>, kind: Kind) -> PyResult<Self> {
        batch.valid_keys()?;
        if let Kind::Set { expiration, .. } = kind {
            expiration_of(expiration)?;
        }
        Ok(Self { batch: batch.unbind(), kind, gathered: Gathered::new(py), part: 0..0 })
    }

    fn is_whole(&self) -> bool {
        self.part.end == self.batch.keys.len()
    }

    /// Takes what became of the part that was under way.
    fn take(self, py: Python<'_>, op: Option<Op>) -> PyResult<Self> {
        let Self { batch, kind, mut gathered, part } = self;
        let batch = batch.into_bound(py);
        match op {
            Some(op) => batch.take(py, &mut gathered, op, part.len())?,
            None => gathered.answered += part.len(),
        }
        Ok(Self { batch: batch.unbind(), kind, gathered, part })
    }

    fn result(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.batch.into_bound(py).result(self.gathered)
    }

    /// Submits the next part.
    fn submit(&mut self, py: Python<'_>, core: &mut Core) -> PyResult<OpId> {
        let keys: Vec<_> = self.batch.keys.iter().map(|(_, key)| key.bind(py)).collect();
        let keys: Vec<_> = keys.iter().map(|key| key_of("", key)).collect::<PyResult<_>>()?;
        let places = self.part.end..keys.len();
        let now = core.driver.now();
        let (id, next) = match &self.kind {
            Kind::Get => core.submit_batch(now, places, &|at| Request::Get {
                key: keys[at],
                with_key: false,
                quiet: true,
            }),
            Kind::GetAndTouch { expiration } => core.submit_batch(now, places, &|at| Request::GetAndTouch {
                key: keys[at],
                expiration: *expiration,
                with_key: false,
                quiet: true,
            }),
            Kind::Set { values, expiration, flags } => {
                let expiration = expiration_of(*expiration)?;
                let values: Vec<_> = values.iter().map(|value| value.as_bytes(py)).collect();
                core.submit_batch(now, places, &|at| {
                    let (key, value) = (keys[at], values[at]);
                    Item { key, value, expiration, flags: *flags, cas: 0 }.stored(StoreMode::Set, true)
                })
            }
            Kind::Delete => {
                core.submit_batch(now, places, &|at| Request::Delete { key: keys[at], cas: 0, quiet: true })
            }
        };
        self.part = self.part.end..next;
        Ok(id)
    }

    /// Submits everything, as far as there is room, and leaves it to itself.
    fn leave(mut self, under_way: &UnderWay, py: Python<'_>) -> PyResult<Py<PyAny>> {
        while !self.is_whole() {
            let op = {
                let mut core = under_way.hold();
                let id = self.submit(py, &mut core)?;
                let op = core.release(id);
                if !self.is_whole() && !core.driver.buffering() {
                    // The sockets may have room for what the buffers do not hold.
                    let now = core.driver.now();
                    core.look(now);
                }
                op
            };
            self = self.take(py, op.map(|op| *op))?;
        }
        self.result(py)
    }

    /// Takes what became of a part; submits the next one, or tells the result.
    pub(super) fn go_on(
        self,
        under_way: &UnderWay,
        py: Python<'_>,
        ticket: Ticket,
        op: Op,
    ) -> PyResult<Option<Py<PyAny>>> {
        if !self.is_whole() && under_way.hold().freed {
            return self.give_up(py, op).map(Some);
        }
        let mut many = Box::new(self.take(py, Some(op))?);
        if many.is_whole() {
            return many.result(py).map(Some);
        }
        let id = {
            let mut core = under_way.hold();
            let id = many.submit(py, &mut core)?;
            core.driver.cluster.settle_quiet();
            id
        };
        under_way.pending().insert(id, Pending::Many(ticket, many));
        Ok(None)
    }

    /// What is known when the batch is given up.
    pub(super) fn give_up(self, py: Python<'_>, op: Op) -> PyResult<Py<PyAny>> {
        let Self { batch, mut gathered, part, .. } = self;
        let batch = batch.into_bound(py);
        batch.take(py, &mut gathered, op, part.len())?;
        let never = Answer::timeout(false);
        for place in part.end..batch.keys.len() {
            batch.take_one(py, &mut gathered, place, &never)?;
        }
        batch.result(gathered)
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for (given, _) in &self.batch.keys {
            visit.call(given)?;
        }
        visit.call(&self.batch.errors)?;
        visit.call(&self.gathered.found)
    }
}

impl Pipeline {
    fn many(&self, py: Python<'_>, mut many: Many, quiet: bool) -> PyResult<Submitted> {
        let under_way = self.under_way(py)?;
        if under_way.hold().freed {
            return Err(errors::freed(py));
        }
        if quiet {
            return many.leave(&under_way, py).map(Submitted::Known);
        }
        let mut core = under_way.hold();
        let id = many.submit(py, &mut core)?;
        core.driver.cluster.settle_quiet();
        under_way.pending().insert(id, Pending::Many(id, Box::new(many)));
        Ok(Submitted::Ticket(id))
    }
}

#[pymethods]
impl Pipeline {
    #[pyo3(signature = (keys, flags=false, cas=false, errors=None, quiet=false))]
    fn _get_multi<'py>(
        &self,
        keys: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = truth)] flags: bool,
        #[pyo3(from_py_with = truth)] cas: bool,
        errors: Option<Bound<'py, PyDict>>,
        quiet: bool,
    ) -> PyResult<Submitted> {
        let batch = Batch { name: "get_multi", reads: Some((flags, cas)), keys: keys_of(keys)?, errors };
        self.many(keys.py(), Many::new(keys.py(), batch, Kind::Get)?, quiet)
    }

    #[pyo3(signature = (keys, expiration=0, flags=false, cas=false, errors=None, quiet=false))]
    fn _gat_multi<'py>(
        &self,
        keys: &Bound<'py, PyAny>,
        expiration: i64,
        #[pyo3(from_py_with = truth)] flags: bool,
        #[pyo3(from_py_with = truth)] cas: bool,
        errors: Option<Bound<'py, PyDict>>,
        quiet: bool,
    ) -> PyResult<Submitted> {
        let batch = Batch { name: "gat_multi", reads: Some((flags, cas)), keys: keys_of(keys)?, errors };
        let kind = Kind::GetAndTouch { expiration: expiration_of(expiration)? };
        self.many(keys.py(), Many::new(keys.py(), batch, kind)?, quiet)
    }

    #[pyo3(signature = (items, expiration=0, flags=0, quiet=false))]
    fn _set_multi(
        &self,
        items: &Bound<'_, PyAny>,
        expiration: i64,
        flags: u32,
        quiet: bool,
    ) -> PyResult<Submitted> {
        let (keys, values) = items_of(items)?;
        let values = values.into_iter().map(Bound::unbind).collect();
        let batch = Batch { name: "set_multi", reads: None, keys, errors: None };
        let kind = Kind::Set { values, expiration, flags };
        self.many(items.py(), Many::new(items.py(), batch, kind)?, quiet)
    }

    #[pyo3(signature = (keys, quiet=false))]
    fn _delete_multi(&self, keys: &Bound<'_, PyAny>, quiet: bool) -> PyResult<Submitted> {
        let batch = Batch { name: "delete_multi", reads: None, keys: keys_of(keys)?, errors: None };
        self.many(keys.py(), Many::new(keys.py(), batch, Kind::Delete)?, quiet)
    }
}
