//! A batch's keys whose servers have no room in their send buffers.

use std::collections::VecDeque;

/// Places of a batch that wait to be submitted, by server: a server that is full holds up no other, and its keys keep
/// their order.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    queues: Vec<VecDeque<usize>>,
    count: usize,
}

impl Waiting {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// One more than the largest index of a server that something waited for.
    pub(crate) fn servers(&self) -> usize {
        self.queues.len()
    }

    pub(crate) fn has(&self, server: usize) -> bool {
        self.front(server).is_some()
    }

    pub(crate) fn front(&self, server: usize) -> Option<usize> {
        self.queues.get(server)?.front().copied()
    }

    pub(crate) fn push(&mut self, server: usize, place: usize) {
        if self.queues.len() <= server {
            self.queues.resize_with(server + 1, VecDeque::new);
        }
        if let Some(queue) = self.queues.get_mut(server) {
            queue.push_back(place);
            self.count += 1;
        }
    }

    /// Takes the first one out; true where it was the last one of its server.
    pub(crate) fn pop(&mut self, server: usize) -> bool {
        let Some(queue) = self.queues.get_mut(server) else { return false };
        self.count -= usize::from(queue.pop_front().is_some());
        queue.is_empty()
    }

    /// Takes out all.
    pub(crate) fn drain(&mut self, take: impl FnMut(usize)) {
        self.count = 0;
        self.queues.drain(..).flatten().for_each(take);
    }
}
