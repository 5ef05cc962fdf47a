//! Batches whose results are gathered: by the runs of consecutive tickets that their commands have.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use crate::client::Ticket;
use crate::command::Reply;
use crate::error::Error;

type Outcome = Result<Reply, Error>;

/// Commands of one batch with consecutive tickets.
#[derive(Clone, Copy, Debug)]
struct Run {
    count: u32,
    batch: usize,
    /// Where the first one stands among the batch's `places`.
    start: usize,
}

/// A batch whose results are gathered.
#[derive(Debug, Default)]
struct Gathered {
    /// The place of each command that was submitted, in the order of submission.
    places: Vec<usize>,
    /// The first tickets of its runs.
    runs: Vec<u32>,
    results: Vec<Option<Outcome>>,
    /// Results that are still to come.
    left: usize,
    waker: Option<Waker>,
}

impl Gathered {
    /// Takes a result; it is returned where there is one already.
    fn settle(&mut self, place: usize, outcome: Outcome) -> Option<Outcome> {
        let Some(result @ None) = self.results.get_mut(place) else { return Some(outcome) };
        *result = Some(outcome);
        self.left -= 1;
        if self.left == 0
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
        None
    }

    fn is_open(&self, place: usize) -> bool {
        self.results.get(place).is_some_and(Option::is_none)
    }
}

/// All batches that wait.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// By their numbers, which are used again.
    batches: Vec<Option<Gathered>>,
    /// The numbers of no batch.
    free: Vec<usize>,
    /// Batches whose results are not all there.
    open: usize,
    /// By their first tickets.
    runs: BTreeMap<u32, Run>,
    /// The run that was found last, with its first ticket: answers come in order.
    found: Option<(u32, Run)>,
}

impl Batches {
    /// Whether no batch waits for anything.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Begins a batch of so many commands; its number is returned.
    pub(super) fn begin(&mut self, count: usize) -> usize {
        let mut results = Vec::with_capacity(count);
        results.resize_with(count, || None);
        let gathered = Some(Gathered { results, left: count, ..Gathered::default() });
        self.open += usize::from(count > 0);
        let batch = self.free.pop().unwrap_or(self.batches.len());
        match self.batches.get_mut(batch) {
            Some(place) => *place = gathered,
            None => self.batches.push(gathered),
        }
        batch
    }

    #[inline]
    fn of(&mut self, batch: usize) -> Option<&mut Gathered> {
        self.batches.get_mut(batch)?.as_mut()
    }

    /// A command of a batch was submitted.
    pub(super) fn submitted(&mut self, batch: usize, ticket: Ticket, place: usize) {
        let Some(Some(gathered)) = self.batches.get_mut(batch) else { return };
        let start = gathered.places.len();
        gathered.places.push(place);
        if let Some(first) = gathered.runs.last()
            && let Some(run) = self.runs.get_mut(first)
            && ticket.0.wrapping_sub(*first) == run.count
        {
            run.count += 1;
            self.found = None;
            return;
        }
        gathered.runs.push(ticket.0);
        self.runs.insert(ticket.0, Run { count: 1, batch, start });
    }

    /// What a command of a batch came to that was not submitted.
    pub(super) fn refused(&mut self, batch: usize, place: usize, error: Error) {
        self.settle_at(batch, place, Err(error));
    }

    #[inline]
    fn find(&mut self, ticket: Ticket) -> Option<(u32, Run)> {
        let is_in = |&(first, run): &(u32, Run)| ticket.0.wrapping_sub(first) < run.count;
        if let Some(found) = self.found.filter(is_in) {
            return Some(found);
        }
        let before = self.runs.range(..=ticket.0).next_back();
        // Tickets wrap, and so may the last run.
        let (&first, &run) = before.or_else(|| self.runs.last_key_value())?;
        self.found = Some((first, run)).filter(is_in);
        self.found
    }

    /// The batch of a command, and its place.
    #[inline]
    fn place(&mut self, ticket: Ticket) -> Option<(usize, usize)> {
        let (first, run) = self.find(ticket)?;
        let at = run.start + ticket.0.wrapping_sub(first) as usize;
        Some((run.batch, *self.of(run.batch)?.places.get(at)?))
    }

    /// Whether a batch waits for this command: where its tickets came again meanwhile, it may be somebody else's.
    #[inline]
    pub(super) fn wait_for(&mut self, ticket: Ticket) -> bool {
        let Some((batch, place)) = self.place(ticket) else { return false };
        self.of(batch).is_some_and(|gathered| gathered.is_open(place))
    }

    fn settle_at(&mut self, batch: usize, place: usize, outcome: Outcome) -> Option<Outcome> {
        let Some(gathered) = self.of(batch) else { return Some(outcome) };
        let rest = gathered.settle(place, outcome);
        if rest.is_none() && gathered.left == 0 {
            self.open -= 1;
        }
        rest
    }

    /// Takes the result of a command that a batch waits for; else it is returned.
    #[inline]
    pub(super) fn settle(&mut self, ticket: Ticket, outcome: Outcome) -> Option<Outcome> {
        match self.place(ticket) {
            Some((batch, place)) => self.settle_at(batch, place, outcome),
            None => Some(outcome),
        }
    }

    /// Whether all results of a batch are there; else the context is woken when they are.
    pub(super) fn poll(&mut self, batch: usize, context: &Context<'_>) -> Poll<()> {
        match self.of(batch) {
            Some(gathered) if gathered.left > 0 => {
                match &mut gathered.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => gathered.waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// The commands of a batch that are under way, with their places.
    pub(super) fn under_way(&self, batch: usize) -> Vec<(Ticket, usize)> {
        let Some(Some(gathered)) = self.batches.get(batch) else { return Vec::new() };
        let mut found = Vec::new();
        for first in &gathered.runs {
            let Some(run) = self.runs.get(first).filter(|run| run.batch == batch) else { continue };
            let places = gathered.places.get(run.start..).unwrap_or_default();
            let tickets = (0..run.count).map(|at| Ticket(first.wrapping_add(at)));
            let open = tickets.zip(places.iter().copied()).filter(|&(_, place)| gathered.is_open(place));
            found.extend(open);
        }
        found
    }

    /// Ends a batch; its results are returned, none for those that have none.
    pub(super) fn end(&mut self, batch: usize) -> Vec<Option<Outcome>> {
        let Some(gathered) = self.batches.get_mut(batch).and_then(Option::take) else { return Vec::new() };
        self.free.push(batch);
        self.open -= usize::from(gathered.left > 0);
        for first in gathered.runs {
            // Its tickets may have come again, and be another batch's.
            if self.runs.get(&first).is_some_and(|run| run.batch == batch) {
                self.runs.remove(&first);
            }
        }
        self.found = None;
        gathered.results
    }

    /// Ends all that is to come with this failure; those who wait are returned.
    pub(super) fn forsake(&mut self, failure: impl Fn() -> Error) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for gathered in self.batches.iter_mut().flatten() {
            for result in gathered.results.iter_mut().filter(|result| result.is_none()) {
                *result = Some(Err(failure()));
            }
            gathered.left = 0;
            wakers.extend(gathered.waker.take());
        }
        self.open = 0;
        wakers
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panics")]

    use super::*;

    fn found(number: u64) -> Outcome {
        Ok(Reply::Counter(Some(number)))
    }

    fn numbers(results: Vec<Option<Outcome>>) -> Vec<Option<u64>> {
        let number = |outcome: Outcome| match outcome.unwrap() {
            Reply::Counter(number) => number.unwrap(),
            other => panic!("{other:?}"),
        };
        results.into_iter().map(|result| result.map(number)).collect()
    }

    #[test]
    fn results_come_to_the_places_of_their_commands() {
        let mut batches = Batches::default();
        assert!(batches.is_empty());
        let (one, two) = (batches.begin(4), batches.begin(2));
        // The first one's tickets wrap, stand out of order among its places, and are interrupted by the second one's.
        let last = u32::MAX;
        for (batch, ticket, place) in [(one, last, 2), (one, 0, 0), (two, 1, 1), (one, 2, 3), (two, 3, 0)] {
            batches.submitted(batch, Ticket(ticket), place);
        }
        assert!([last, 0, 1, 2, 3].into_iter().all(|ticket| batches.wait_for(Ticket(ticket))));
        assert!(!batches.wait_for(Ticket(4)) && !batches.wait_for(Ticket(last - 1)));
        for (ticket, number) in [(0, 10), (2, 12), (1, 11), (last, 9)] {
            assert!(batches.settle(Ticket(ticket), found(number)).is_none());
        }
        assert!(batches.settle(Ticket(77), found(77)).is_some(), "somebody else's");
        assert_eq!(batches.under_way(one), []);
        assert_eq!(batches.under_way(two), [(Ticket(3), 0)]);
        let mut context = Context::from_waker(Waker::noop());
        assert!(batches.poll(one, &context).is_pending(), "one was not submitted");
        batches.refused(one, 1, Error::timeout(false));
        assert!(batches.poll(one, &context).is_ready() && batches.poll(two, &context).is_pending());
        let mut results = batches.end(one);
        assert!(results.remove(1).unwrap().is_err());
        assert_eq!(numbers(results), [Some(10), Some(9), Some(12)]);
        // Of two, the later is somebody else's.
        assert!(!batches.wait_for(Ticket(1)) && batches.settle(Ticket(1), found(1)).is_some());
        // What comes late is nobody's, and the number serves again.
        assert!(!batches.wait_for(Ticket(0)) && batches.settle(Ticket(0), found(1)).is_some());
        assert_eq!(batches.begin(1), one);
        batches.end(one);
        context = Context::from_waker(Waker::noop());
        assert_eq!(batches.forsake(|| Error::timeout(true)).len(), 1);
        assert!(batches.poll(two, &context).is_ready());
        assert!(batches.end(two)[0].as_ref().unwrap().is_err());
        assert!(batches.is_empty());
    }
}
