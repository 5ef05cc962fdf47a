//! The results of a batch: what they are, where each belongs, and what servers' answers and their silence mean.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use omcache_conn::{Cluster, Response, TakenValue};

use crate::command::{self, Stored, Value, ValueRef};
use crate::error::Error;

/// What the servers' silence, and an answer, mean to one kind of batch.
pub(super) trait Meaning {
    type Result;
    fn silence() -> Self::Result;
    /// An answer to the request at this place of the batch.
    fn answer(&mut self, place: usize, response: Response<'_>) -> Result<Self::Result, Error>;

    /// Takes the values that come next, where it reads such.
    fn take_values(_cluster: &mut Cluster, _batch: &mut Batch<'_, Self>)
    where
        Self: Sized,
    {
    }
}

/// Quiet gets: silence is a miss.
pub(super) struct Gets;
/// Quiet gets whose values are lent to a function of the program's.
pub(super) struct Lent<F> {
    read: F,
    /// What it panicked with: then it is called no more, and the batch goes on to its end first.
    pub(super) panicked: Option<Box<dyn Any + Send>>,
}
/// Quiet stores: silence is success.
pub(super) struct Stores;
/// Quiet deletes: silence is success.
pub(super) struct Deletes;

impl Meaning for Gets {
    type Result = Option<Value>;
    fn silence() -> Self::Result {
        None
    }
    fn answer(&mut self, _place: usize, response: Response<'_>) -> Result<Self::Result, Error> {
        command::value(response)
    }
    #[inline]
    fn take_values(cluster: &mut Cluster, batch: &mut Batch<'_, Self>) {
        let Batch { first, places, results, unsettled, .. } = batch;
        let place = |opaque: u32| places.get(opaque.wrapping_sub(*first) as usize).copied();
        cluster.take_owned_values(
            |opaque| place(opaque).is_some(),
            |_, value| {
                if let Some(slot) = place(value.opaque).and_then(|place| results.get_mut(place)) {
                    let TakenValue { flags, cas, data, .. } = value;
                    put(slot, Ok(Some(Value { data, flags, cas })));
                    *unsettled -= 1;
                }
            },
        );
    }
}

impl<F: FnMut(usize, ValueRef<'_>)> Lent<F> {
    pub(super) fn new(read: F) -> Self {
        Self { read, panicked: None }
    }

    #[inline(always)]
    fn lend(&mut self, place: usize, value: ValueRef<'_>) {
        if self.panicked.is_none()
            && let Err(panicked) = catch_unwind(AssertUnwindSafe(|| (self.read)(place, value)))
        {
            self.panicked = Some(panicked);
        }
    }
}

impl<F: FnMut(usize, ValueRef<'_>)> Meaning for Lent<F> {
    type Result = bool;
    fn silence() -> Self::Result {
        false
    }
    fn answer(&mut self, place: usize, response: Response<'_>) -> Result<Self::Result, Error> {
        let value = command::value_ref(&response)?;
        Ok(value.map(|value| self.lend(place, value)).is_some())
    }
    #[inline]
    fn take_values(cluster: &mut Cluster, batch: &mut Batch<'_, Self>) {
        let Batch { meaning, first, places, results, unsettled } = batch;
        let place = |opaque: u32| places.get(opaque.wrapping_sub(*first) as usize).copied();
        let mut taken = 0;
        cluster.take_values(
            |opaque| place(opaque).is_some(),
            |_, opaque, found| {
                if let Some((place, slot)) = place(opaque).and_then(|at| Some((at, results.get_mut(at)?))) {
                    meaning.lend(place, ValueRef { data: found.value, flags: found.flags, cas: found.cas });
                    put(slot, Ok(true));
                    taken += 1;
                }
                true
            },
        );
        *unsettled -= taken;
    }
}

impl Meaning for Stores {
    type Result = Stored;
    fn silence() -> Self::Result {
        Stored::Stored { cas: 0 }
    }
    fn answer(&mut self, _place: usize, response: Response<'_>) -> Result<Self::Result, Error> {
        command::stored(&response)
    }
}

impl Meaning for Deletes {
    type Result = bool;
    fn silence() -> Self::Result {
        true
    }
    fn answer(&mut self, _place: usize, response: Response<'_>) -> Result<Self::Result, Error> {
        command::found(&response)
    }
}

/// Puts a result in the place of that for want of an answer, which owns nothing: to look for what is to be dropped would
/// cost something for each key.
#[inline(always)]
pub(super) fn put<T>(place: &mut Result<T, Error>, result: Result<T, Error>) {
    std::mem::forget(std::mem::replace(place, result));
}

/// A batch on its way.
pub(super) struct Batch<'m, M: Meaning> {
    pub(super) meaning: &'m mut M,
    /// The opaque of the first request; they are consecutive.
    pub(super) first: u32,
    /// The place of each request among the batch's keys, in the order of opaques.
    pub(super) places: Vec<usize>,
    /// Those that have none yet are failures for want of an answer.
    pub(super) results: Vec<Result<M::Result, Error>>,
    pub(super) unsettled: usize,
}

impl<M: Meaning> Batch<'_, M> {
    pub(super) fn settle(&mut self, place: usize, result: Result<M::Result, Error>) {
        if let Some(slot) = self.results.get_mut(place) {
            put(slot, result);
            self.unsettled -= 1;
        }
    }

    #[inline]
    pub(super) fn place(&self, opaque: u32) -> Option<usize> {
        self.places.get(opaque.wrapping_sub(self.first) as usize).copied()
    }
}
