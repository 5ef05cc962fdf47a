//! What a call is to return: from answers to Python's objects.

use omcache::driver::proto::Key;
use omcache::driver::proto::binary::Opcode;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::answer::Answer;
use crate::arguments::{GivenKey, key_of};
use crate::errors;
use crate::op::Op;
use crate::ret::Ret;

/// What a call is to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Nothing,
    /// The value, with its flags and its CAS where they are asked for.
    Value {
        flags: bool,
        cas: bool,
    },
    Counter,
    /// Names and values of statistics.
    Statistics,
    /// The value as text.
    Text,
    /// Everything, as tuples, failures included.
    Raw,
}

/// A call of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The method's name, for exceptions.
    pub(crate) name: &'static str,
    pub(crate) want: Want,
    /// Whether the caller named the server.
    pub(crate) at_server: bool,
}

impl Call {
    pub(crate) const fn new(name: &'static str, want: Want) -> Self {
        Self { name, want, at_server: false }
    }

    pub(crate) const fn at_server(name: &'static str, want: Want) -> Self {
        Self { name, want, at_server: true }
    }

    /// What the call returns.
    ///
    /// # Errors
    /// The exception for what became of the request.
    #[inline]
    pub(crate) fn result(&self, py: Python<'_>, op: Op) -> PyResult<Py<PyAny>> {
        match self.want {
            Want::Statistics => return self.statistics(py, op),
            Want::Raw => return raw(py, op),
            _ => {}
        }
        let Some((_, mut answer)) = op.answers.into_iter().next() else { return Ok(py.None()) };
        let data = std::mem::take(&mut answer.data);
        self.result_alone(py, answer, &data)
    }

    /// What the call returns where there is one answer, whose value is `data`.
    ///
    /// # Errors
    /// The exception for what became of the request.
    #[inline]
    pub(crate) fn result_alone(
        &self,
        py: Python<'_>,
        mut answer: Answer,
        data: &[u8],
    ) -> PyResult<Py<PyAny>> {
        if answer.ret != Ret::OK {
            return Err(self.failure(py, &mut answer));
        }
        match self.want {
            Want::Value { flags, cas } => value(py, data, (flags, answer.flags), (cas, answer.cas)),
            Want::Counter => Ok(answer.delta.into_pyobject(py)?.into_any().unbind()),
            Want::Text => Ok(PyString::new(py, &String::from_utf8_lossy(data)).into_any().unbind()),
            _ => Ok(py.None()),
        }
    }

    /// Whether one answer is all that it waits for.
    #[inline]
    pub(crate) fn wants_one(&self) -> bool {
        !matches!(self.want, Want::Statistics | Want::Raw)
    }

    #[cold]
    pub(crate) fn failure(&self, py: Python<'_>, answer: &mut Answer) -> PyErr {
        if self.at_server && answer.ret == Ret::SERVER_FAILURE {
            answer.ret = Ret::NO_SERVERS;
        }
        errors::of_answer(py, self.name, answer)
    }

    fn statistics(&self, py: Python<'_>, op: Op) -> PyResult<Py<PyAny>> {
        let found = PyDict::new(py);
        for (_, mut answer) in op.answers {
            if answer.ret != Ret::OK {
                return Err(self.failure(py, &mut answer));
            }
            if !answer.key().is_empty() {
                found.set_item(PyBytes::new(py, answer.key()), PyBytes::new(py, &answer.data))?;
            }
        }
        Ok(found.into_any().unbind())
    }
}

/// A value, alone or as a tuple with its flags and its CAS where these are asked for.
#[inline]
fn value(py: Python<'_>, data: &[u8], flags: (bool, u32), cas: (bool, u64)) -> PyResult<Py<PyAny>> {
    let data = PyBytes::new(py, data);
    Ok(match (flags, cas) {
        ((false, _), (false, _)) => data.into_any().unbind(),
        ((true, flags), (false, _)) => (data, flags).into_pyobject(py)?.into_any().unbind(),
        ((false, _), (true, cas)) => (data, cas).into_pyobject(py)?.into_any().unbind(),
        ((true, flags), (true, cas)) => (data, flags, cas).into_pyobject(py)?.into_any().unbind(),
    })
}

/// Tuples of status, key, value, flags, CAS and counter.
fn raw(py: Python<'_>, op: Op) -> PyResult<Py<PyAny>> {
    let tuples = PyList::empty(py);
    for (_, answer) in op.answers {
        let (key, data) = (PyBytes::new(py, answer.key()), PyBytes::new(py, &answer.data));
        tuples.append((answer.ret.0, key, data, answer.flags, answer.cas, answer.delta))?;
    }
    Ok(tuples.into_any().unbind())
}

/// A call of one request for each of many keys.
pub(crate) struct Batch<'py> {
    pub(crate) name: &'static str,
    pub(crate) reads: Option<(bool, bool)>,
    /// The keys, as the caller gave them and as they are sent.
    pub(crate) keys: Vec<GivenKey<'py>>,
    /// Where the caller wants to be told of the keys that failed.
    pub(crate) errors: Option<Bound<'py, PyDict>>,
}

/// A batch between the turns of an event loop.
pub(crate) struct StoredBatch {
    name: &'static str,
    reads: Option<(bool, bool)>,
    pub(crate) keys: Vec<(Py<PyAny>, Py<PyBytes>)>,
    pub(crate) errors: Option<Py<PyDict>>,
}

impl StoredBatch {
    pub(crate) fn into_bound(self, py: Python<'_>) -> Batch<'_> {
        let Self { name, reads, keys, errors } = self;
        let keys = keys.into_iter().map(|(given, sent)| (given.into_bound(py), sent.into_bound(py)));
        Batch { name, reads, keys: keys.collect(), errors: errors.map(|errors| errors.into_bound(py)) }
    }
}

/// What is gathered of a batch, part after part.
pub(crate) struct Gathered {
    pub(crate) found: Py<PyDict>,
    /// Requests that a server answered, or passed over in silence.
    pub(crate) answered: usize,
    first_failure: Option<PyErr>,
}

impl Gathered {
    pub(crate) fn new(py: Python<'_>) -> Self {
        Self { found: PyDict::new(py).unbind(), answered: 0, first_failure: None }
    }
}

impl<'py> Batch<'py> {
    /// The keys, if all of them are such that the protocol can carry them.
    pub(crate) fn valid_keys(&self) -> PyResult<Vec<Key<'_>>> {
        let mut keys = Vec::with_capacity(self.keys.len());
        for (_, key) in &self.keys {
            keys.push(key_of(self.name, key)?);
        }
        Ok(keys)
    }

    pub(crate) fn unbind(self) -> StoredBatch {
        let Self { name, reads, keys, errors } = self;
        let keys = keys.into_iter().map(|(given, sent)| (given.unbind(), sent.unbind()));
        StoredBatch { name, reads, keys: keys.collect(), errors: errors.map(Bound::unbind) }
    }

    /// Takes what became of a part of the batch, which had `count` requests.
    pub(crate) fn take(
        &self,
        py: Python<'py>,
        gathered: &mut Gathered,
        op: Op,
        count: usize,
    ) -> PyResult<()> {
        gathered.answered += count;
        if let Some((flags, cas)) = self.reads {
            let dict = gathered.found.bind(py);
            for (found, data) in op.values.iter() {
                let Some((_, sent)) = self.keys.get(found.place as usize) else { continue };
                dict.set_item(sent, value(py, data, (flags, found.flags), (cas, found.cas))?)?;
            }
        }
        for (place, answer) in op.answers {
            self.take_one(py, gathered, place as usize, &answer)?;
        }
        Ok(())
    }

    /// Takes what became of one request.
    #[inline]
    pub(crate) fn take_one(
        &self,
        py: Python<'py>,
        gathered: &mut Gathered,
        place: usize,
        answer: &Answer,
    ) -> PyResult<()> {
        let Some((given, sent)) = self.keys.get(place) else { return Ok(()) };
        let found = gathered.found.bind(py);
        match self.reads {
            Some((flags, cas)) if answer.ret == Ret::OK => {
                let value = value(py, &answer.data, (flags, answer.flags), (cas, answer.cas))?;
                return found.set_item(sent, value);
            }
            _ if answer.ret == Ret::OK => return Ok(()),
            // Only loud gets are told of misses.
            Some(_) if answer.ret == Ret::NOT_FOUND => return Ok(()),
            _ => {}
        }
        let failure = errors::of_answer(py, self.name, answer);
        let told = if self.reads.is_some() { self.errors.as_ref() } else { Some(found) };
        if let Some(told) = told {
            told.set_item(given, failure.value(py))?;
        }
        if answer.failure().is_some() {
            gathered.answered = gathered.answered.saturating_sub(1);
            gathered.first_failure.get_or_insert(failure);
        }
        Ok(())
    }

    /// What the call returns: what was found, or the keys that failed with their exceptions.
    ///
    /// # Errors
    /// Where values were to be read, and nothing could be learned of any key.
    pub(crate) fn result(&self, gathered: Gathered) -> PyResult<Py<PyAny>> {
        match gathered.first_failure {
            Some(failure) if self.reads.is_some() && gathered.answered == 0 => Err(failure),
            _ => Ok(gathered.found.into_any()),
        }
    }
}

/// The opcode of a raw command; quiet ones are refused, as their silence can't be waited for.
pub(crate) fn raw_opcode(py: Python<'_>, opcode: u8) -> PyResult<Opcode> {
    let opcode = Opcode(opcode);
    if opcode.is_quiet() {
        let reason = format!("opcode {opcode:?} is quiet: it may get no answer to wait for");
        return Err(errors::new(py, "command", Ret::INVALID, &reason, false));
    }
    Ok(opcode)
}
