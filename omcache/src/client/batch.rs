//! Commands on many keys at once: pipelined to all servers, with a result for each key.

use std::ops::Range;
use std::panic::resume_unwind;

use omcache_conn::{Cluster, Event, Instant, SubmitError, Target};
use omcache_proto::{Key, Request};

use super::results::{Batch, Deletes, Gets, Lent, Meaning, Stores, put};
use super::waiting::Waiting;
use super::{Client, is_silent};
use crate::command::{Command, Item, Mode, Stored, Value, ValueRef};
use crate::error::Error;
use crate::expiration::Expiration;

/// Keys after which a batch looks at the sockets, so that servers work while it is still being written: so many for each
/// server, so that what is sent to one at a time stays more than a few.
const STRIDE: usize = 128;
/// The fewest.
const LEAST_STRIDE: usize = 512;

/// Made here, as a known kind costs less.
#[inline(always)]
fn quiet_get(key: &[u8]) -> Result<Request<'_>, Error> {
    let key = Key::new(key).map_err(Error::invalid)?;
    Ok(Request::Get { key, with_key: false, quiet: true })
}

/// # Commands on many keys
///
/// All servers work at once, and a batch of any size goes through. There is a result for each key, in the order of the
/// keys; a failing server fails its own keys alone. The timeout is for the batch as a whole.
impl Client {
    /// Reads many values.
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// # use omcache::{Client, Item, testing::Server};
    /// # let server = Server::start()?;
    /// # let mut client = Client::builder().server(server.address())?.build()?;
    /// for stored in client.set_multi(&[Item::new("a", "1"), Item::new("b", "2")]) {
    ///     assert!(stored?.is_stored());
    /// }
    /// let values = client.get_multi(&["b", "no such key", "a"]);
    /// let values: Vec<_> = values.into_iter().collect::<Result<_, _>>()?;
    /// assert_eq!(values[0].as_ref().unwrap().data, "2");
    /// assert_eq!(values[1], None);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_multi<K: AsRef<[u8]>>(&mut self, keys: &[K]) -> Vec<Result<Option<Value>, Error>> {
        let key = |at: usize| keys[at].as_ref();
        self.batch(&mut Gets, keys.len(), key, |at| quiet_get(key(at)))
    }

    /// Reads many values and lends each one to `read`, with the place of its key; the results tell for each key whether it was
    /// found. The values come in any order.
    ///
    /// For values that are only parsed or copied it costs less than [`Client::get_multi`], and no receive buffer is kept for
    /// their sake. Where `read` panics it is called no more, and the panic goes on once the batch has ended. The time that it
    /// takes counts as the batch's.
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// # use omcache::{Client, Item, testing::Server};
    /// # let server = Server::start()?;
    /// # let mut client = Client::builder().server(server.address())?.build()?;
    /// # for stored in client.set_multi(&[Item::new("a", "1"), Item::new("b", "22")]) {
    /// #     assert!(stored?.is_stored());
    /// # }
    /// let mut lens = [0; 3];
    /// let found = client.get_multi_with(&["b", "no such key", "a"], |at, value| lens[at] = value.data.len());
    /// let found: Vec<bool> = found.into_iter().collect::<Result<_, _>>()?;
    /// assert_eq!((lens, found), ([2, 0, 1], vec![true, false, true]));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_multi_with<K: AsRef<[u8]>>(
        &mut self,
        keys: &[K],
        read: impl FnMut(usize, ValueRef<'_>),
    ) -> Vec<Result<bool, Error>> {
        let mut lent = Lent::new(read);
        let key = |at: usize| keys[at].as_ref();
        let found = self.batch(&mut lent, keys.len(), key, |at| quiet_get(key(at)));
        if let Some(panicked) = lent.panicked {
            resume_unwind(panicked);
        }
        found
    }

    /// Reads many values and sets their expiration.
    pub fn gat_multi<K: AsRef<[u8]>>(
        &mut self,
        keys: &[K],
        expiration: impl Into<Expiration>,
    ) -> Vec<Result<Option<Value>, Error>> {
        let expiration = expiration.into();
        let key = |at: usize| keys[at].as_ref();
        self.batch(&mut Gets, keys.len(), key, |at| Command::GetAndTouch(key(at), expiration).request(true))
    }

    /// Stores many values. Where one is stored its new CAS is not told: [`Stored::Stored`] has 0.
    pub fn set_multi(&mut self, items: &[Item<'_>]) -> Vec<Result<Stored, Error>> {
        self.store_multi(Mode::Set, items)
    }

    /// Stores many values in any mode.
    pub fn store_multi(&mut self, mode: Mode, items: &[Item<'_>]) -> Vec<Result<Stored, Error>> {
        let key = |at: usize| items[at].key;
        self.batch(&mut Stores, items.len(), key, |at| Command::Store(mode, items[at]).request(true))
    }

    /// Removes many keys; false for those that there were none of.
    pub fn delete_multi<K: AsRef<[u8]>>(&mut self, keys: &[K]) -> Vec<Result<bool, Error>> {
        let key = |at: usize| keys[at].as_ref();
        self.batch(&mut Deletes, keys.len(), key, |at| Command::Delete(key(at)).request(true))
    }

    fn batch<'r, M: Meaning>(
        &mut self,
        meaning: &mut M,
        count: usize,
        key: impl Fn(usize) -> &'r [u8],
        request: impl Fn(usize) -> Result<Request<'r>, Error>,
    ) -> Vec<Result<M::Result, Error>> {
        let mut now = self.begin();
        let deadline = self.deadline(now);
        let mut results = Vec::with_capacity(count);
        results.resize_with(count, || Err(Error::timeout(true)));
        let mut batch = Batch {
            meaning,
            first: self.driver.cluster.last_opaque().wrapping_add(1),
            places: Vec::with_capacity(count),
            results,
            unsettled: count,
        };
        let mut waiting = Waiting::default();
        let stride = LEAST_STRIDE.max(STRIDE * self.driver.cluster.server_count());
        let mut next = 0;
        while next < count {
            let places = next..count.min(next + stride);
            next = places.end;
            if !waiting.is_empty()
                || !self.submit_stride(places.clone(), (&key, &request), &mut batch, &mut waiting)
            {
                for place in places {
                    match request(place) {
                        Ok(request) => self.submit_one(place, &request, &mut batch, &mut waiting),
                        Err(error) => batch.settle(place, Err(error)),
                    }
                }
            }
            if next < count {
                // A failing poll is told by the wait at the end.
                now = self.advance(now, Some(now), &mut batch).unwrap_or(now);
                self.submit_waiting(now, &request, &mut batch, &mut waiting);
            }
        }
        self.driver.cluster.settle_quiet();
        let mut moved = true;
        while !waiting.is_empty() {
            // Sending may have made room already; only where it has not is there something to wait for.
            let late = deadline.is_some_and(|deadline| deadline <= now);
            let until = if moved && !late { Some(now) } else { deadline };
            now = match self.advance(now, until, &mut batch) {
                Ok(now) => now,
                Err(error) => {
                    // What was never submitted was never sent.
                    waiting.drain(|place| batch.settle(place, Err(Error::timeout(false))));
                    return self.end_batch(batch, error);
                }
            };
            let left = waiting.len();
            if self.submit_waiting(now, &request, &mut batch, &mut waiting) {
                // A server has all of its own: it need not wait for the others to tell what became of it.
                self.driver.cluster.settle_quiet();
            }
            moved = waiting.len() < left;
        }
        loop {
            self.driver.flush(now);
            self.take_batch(&mut batch);
            if batch.unsettled == 0 {
                return batch.results;
            }
            // By a function that values were lent to: what became of the rest is known now.
            if self.driver.check_fork() {
                continue;
            }
            let mut take = |cluster: &mut Cluster| M::take_values(cluster, &mut batch);
            now = match self.pause_taking(now, deadline, &mut take) {
                Ok(now) => now,
                Err(error) => return self.end_batch(batch, error),
            };
        }
    }

    /// Submits these requests together, while none waits for room. False, with nothing done, where one is invalid.
    fn submit_stride<'r, M: Meaning>(
        &mut self,
        places: Range<usize>,
        (key, request): (&impl Fn(usize) -> &'r [u8], &impl Fn(usize) -> Result<Request<'r>, Error>),
        batch: &mut Batch<'_, M>,
        waiting: &mut Waiting,
    ) -> bool {
        let first = places.start;
        let key = |at| key(first + at);
        let request = |at| request(first + at).ok();
        self.driver.cluster.submit_many(places.len(), key, request, |submitted| {
            let place = first + submitted.at;
            match submitted.result {
                Ok(_) => batch.places.push(place),
                Err(SubmitError::SendBufferFull { server, needed, limit, .. }) if needed <= limit => {
                    waiting.push(server, place);
                }
                Err(error) => batch.settle(place, Err(error.into())),
            }
        })
    }

    /// Submits one request, unless others of its server wait for room.
    #[inline]
    fn submit_one<M: Meaning>(
        &mut self,
        place: usize,
        request: &Request<'_>,
        batch: &mut Batch<'_, M>,
        waiting: &mut Waiting,
    ) {
        if !waiting.is_empty() {
            let server = request.key().and_then(|key| self.driver.cluster.server_for_key(key.as_bytes()));
            if let Some(server) = server.filter(|&server| waiting.has(server)) {
                return waiting.push(server, place);
            }
        }
        match self.driver.cluster.submit(Target::Key, request) {
            Ok(_) => batch.places.push(place),
            Err(SubmitError::SendBufferFull { server, needed, limit, .. }) if needed <= limit => {
                waiting.push(server, place);
            }
            Err(error) => batch.settle(place, Err(error.into())),
        }
    }

    /// Submits what has room now; true where a server has nothing left that waits.
    #[cold]
    fn submit_waiting<'r, M: Meaning>(
        &mut self,
        now: Instant,
        request: &impl Fn(usize) -> Result<Request<'r>, Error>,
        batch: &mut Batch<'_, M>,
        waiting: &mut Waiting,
    ) -> bool {
        // The events that were taken may have let something go.
        self.driver.flush(now);
        let mut emptied = false;
        for server in 0..waiting.servers() {
            while let Some(place) = waiting.front(server) {
                match request(place).map(|request| self.driver.cluster.submit(Target::Key, &request)) {
                    Ok(Ok(_)) => batch.places.push(place),
                    Ok(Err(SubmitError::SendBufferFull { server: full, needed, limit, .. }))
                        if needed <= limit =>
                    {
                        if full == server {
                            break;
                        }
                        // Its own server failed meanwhile.
                        waiting.push(full, place);
                    }
                    Ok(Err(error)) => batch.settle(place, Err(error.into())),
                    Err(error) => batch.settle(place, Err(error)),
                }
                emptied |= waiting.pop(server);
            }
        }
        emptied
    }

    /// Sends and receives for the batch; waits until something happens where `until` lies ahead.
    fn advance<M: Meaning>(
        &mut self,
        now: Instant,
        until: Option<Instant>,
        batch: &mut Batch<'_, M>,
    ) -> Result<Instant, Error> {
        self.driver.flush(now);
        self.take_batch(batch);
        if self.driver.check_fork() {
            return Ok(now);
        }
        let look = until == Some(now);
        let mut take = |cluster: &mut Cluster| M::take_values(cluster, batch);
        let now = match self.pause_taking(now, until, &mut take) {
            Err(error) if look && error.kind() == crate::ErrorKind::Timeout => self.driver.now(),
            result => result?,
        };
        self.take_batch(batch);
        Ok(now)
    }

    fn take_batch<M: Meaning>(&mut self, batch: &mut Batch<'_, M>) {
        loop {
            M::take_values(&mut self.driver.cluster, batch);
            self.take_responses(batch);
            let Some(event) = self.driver.cluster.poll_event() else { return };
            let silent = is_silent(&event);
            let opaque = match &event {
                Event::Response(response) => response.opaque(),
                Event::Settled(settled) => settled.opaque,
                _ => {
                    let unnamed = self.inbox.take(event, &mut self.driver.logger);
                    self.name_kept(unnamed);
                    continue;
                }
            };
            let Some(place) = batch.place(opaque) else {
                let unnamed = self.inbox.take(event, &mut self.driver.logger);
                self.name_kept(unnamed);
                continue;
            };
            let (result, server) = match event {
                Event::Response(response) => {
                    let server = response.server();
                    (batch.meaning.answer(place, response), Some(server))
                }
                Event::Settled(settled) => match Error::from_outcome(settled.outcome) {
                    None => (Ok(M::silence()), None),
                    Some(error) => (Err(error), settled.server),
                },
                _ => continue,
            };
            batch.settle(place, result.map_err(|error| self.name_server(error, server)));
            if silent {
                let inbox = &mut self.inbox;
                self.driver.cluster.take_silent(|opaque| match batch.place(opaque) {
                    Some(place) => batch.settle(place, Ok(M::silence())),
                    None => inbox.take_silent(opaque),
                });
            }
        }
    }

    /// Takes the responses that come in the order of their requests, as most do.
    #[inline]
    fn take_responses<M: Meaning>(&mut self, batch: &mut Batch<'_, M>) {
        let Self { driver, inbox, .. } = self;
        let (mut failed, mut unnamed) = (None, None);
        driver.cluster.take_responses(|response| {
            let (opaque, server) = (response.opaque(), response.server());
            let Some(place) = batch.place(opaque) else {
                unnamed = inbox.take(Event::Response(response), &mut driver.logger);
                return unnamed.is_none();
            };
            match batch.meaning.answer(place, response) {
                Ok(result) => batch.settle(place, Ok(result)),
                Err(error) => failed = Some((place, error, server)),
            }
            failed.is_none()
        });
        self.name_kept(unnamed);
        if let Some((place, error, server)) = failed {
            batch.settle(place, Err(self.name_server(error, Some(server))));
        }
    }

    /// Ends a batch early: what is not sent is taken back, the rest is unknown.
    #[cold]
    fn end_batch<M: Meaning>(
        &mut self,
        mut batch: Batch<'_, M>,
        error: Error,
    ) -> Vec<Result<M::Result, Error>> {
        // What nobody asks for any more is still to be settled, or it would be remembered for ever.
        self.driver.cluster.settle_quiet();
        let count = u32::try_from(batch.places.len()).unwrap_or(u32::MAX);
        let unsettled = u32::try_from(batch.unsettled).unwrap_or(u32::MAX);
        let (first, places, results) = (batch.first, &batch.places, &mut batch.results);
        self.give_up(first, count, unsettled, error, |opaque| {
            let place = places.get(opaque.wrapping_sub(first) as usize);
            if let Some(result) = place.and_then(|&place| results.get_mut(place)) {
                put(result, Err(Error::timeout(false)));
            }
        });
        batch.results
    }
}
