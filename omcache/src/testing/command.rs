//! What the server answers to a request, without any I/O.

use bytes::Bytes;
use omcache_proto::binary::{Opcode, RequestPacket, Status};
use omcache_proto::{DecodeError, Key, Request};

use super::answer::{Answer, Answers};
use super::stats::{Counts, Facts, Group};
use super::store::{Count, NewItem, Refusal, Store};

/// The items, and what is counted of the requests.
#[derive(Debug)]
pub(super) struct Cache {
    pub(super) store: Store,
    pub(super) counts: Counts,
    /// The text that VERSION answers with.
    version: Bytes,
}

impl Cache {
    pub(super) fn new(max_item_size: usize, version: &str) -> Self {
        Self {
            store: Store::new(max_item_size),
            counts: Counts::default(),
            version: Bytes::copy_from_slice(version.as_bytes()),
        }
    }

    /// Does what a request asks for. `facts` are for STAT.
    pub(super) fn execute(&mut self, packet: &RequestPacket<'_>, facts: &Facts<'_>) -> Answers {
        match checked(packet) {
            Ok(request) => self.answer(packet, request, facts),
            Err(refused) => refused,
        }
    }

    /// Answers a request whose value is longer than the server reads: `packet` is without it.
    pub(super) fn execute_without_value(&mut self, packet: &RequestPacket<'_>) -> Answers {
        match checked(packet) {
            Ok(Request::Store { mode, key, .. }) => {
                let refusal = self.store.too_large(mode, key.as_bytes());
                Answers::refusing(packet, refusal.status())
            }
            Ok(Request::Concat { .. }) => Answers::refusing(packet, Status::VALUE_TOO_LARGE),
            Ok(Request::SaslAuth { .. } | Request::SaslStep { .. }) => {
                Answers::refusing(packet, Status::UNKNOWN_COMMAND)
            }
            Ok(_) => Answers::invalid(packet),
            Err(refused) => refused,
        }
    }

    fn answer(&mut self, packet: &RequestPacket<'_>, request: Request<'_>, facts: &Facts<'_>) -> Answers {
        let now = facts.now;
        match request {
            Request::Get { key, with_key, quiet } => {
                let item = self.store.get(key.as_bytes(), now);
                self.counts.got(item.is_some());
                let found = item.map(|item| Answer::with_item(packet, item));
                looked_up(packet, found, with_key, quiet)
            }
            Request::GetAndTouch { key, expiration, with_key, quiet } => {
                let item = self.store.touch(key.as_bytes(), expiration, now);
                self.counts.touched(item.is_some());
                let found = item.map(|item| Answer::with_item(packet, item));
                looked_up(packet, found, with_key, quiet)
            }
            Request::Touch { key, expiration } => {
                let item = self.store.touch(key.as_bytes(), expiration, now);
                self.counts.touched(item.is_some());
                let found =
                    item.map(|item| Answer { value: Bytes::new(), ..Answer::with_item(packet, item) });
                looked_up(packet, found, false, false)
            }
            Request::Store { mode, key, value, flags, expiration, cas, quiet } => {
                let new = NewItem { value, flags, expiration };
                let stored = self.store.set(mode, key.as_bytes(), new, cas, now);
                self.counts.stored(stored, cas);
                done(packet, stored, quiet)
            }
            Request::Concat { mode, key, value, cas, quiet } => {
                let stored = self.store.concat(mode, key.as_bytes(), value, cas, now);
                self.counts.stored(stored, 0);
                done(packet, stored, quiet)
            }
            Request::Counter { mode, key, delta, initial, expiration, cas, quiet } => {
                let count = Count { mode, delta, initial, expiration };
                let counted = self.store.count(key.as_bytes(), count, cas, now);
                match counted {
                    Ok(counted) if !counted.created => self.counts.counted(mode, true),
                    Err(Refusal::NotFound) => self.counts.counted(mode, false),
                    _ => {}
                }
                match counted {
                    Ok(_) if quiet => Answers::none(),
                    Ok(counted) => Answers::one(Answer {
                        cas: counted.cas,
                        value: Bytes::copy_from_slice(&counted.number.to_be_bytes()),
                        ..Answer::to(packet)
                    }),
                    Err(refusal) => Answers::refusing(packet, refusal.status()),
                }
            }
            Request::Delete { key, cas, quiet } => {
                let deleted = self.store.delete(key.as_bytes(), cas, now);
                self.counts.deleted(deleted);
                done(packet, deleted.map(|()| 0), quiet)
            }
            Request::Flush { delay, quiet } => {
                self.store.flush(delay.unwrap_or(0), now);
                self.counts.flushed();
                done(packet, Ok(0), quiet)
            }
            Request::Noop => done(packet, Ok(0), false),
            Request::Version => Answers::one(Answer { value: self.version.clone(), ..Answer::to(packet) }),
            Request::Quit { quiet } => Answers { close: true, ..done(packet, Ok(0), quiet) },
            Request::Stat { group } => self.stat(packet, group, facts),
            // Without SASL; and memcached knows no VERBOSITY in the binary protocol.
            _ => Answers::refusing(packet, Status::UNKNOWN_COMMAND),
        }
    }

    fn stat(&mut self, packet: &RequestPacket<'_>, group: &[u8], facts: &Facts<'_>) -> Answers {
        let Some(group) = Group::named(group) else {
            return Answers::refusing(packet, Status::KEY_NOT_FOUND);
        };
        let (items, bytes) = self.store.size(facts.now);
        let named = match group {
            Group::General => self.counts.general(facts, &self.version, items, bytes, self.store.stored()),
            Group::Settings => facts.settings(self.store.max_item_size()),
            Group::Items => self.counts.items(items, bytes),
            Group::Slabs => self.counts.slabs(items),
            Group::Sizes => vec![("sizes_status".into(), "disabled".into())],
            Group::Detail => vec![("detailed".into(), "END\r\n".into())],
            Group::Empty => Vec::new(),
            Group::Reset => {
                self.counts.reset(self.store.stored());
                Vec::new()
            }
        };
        let mut answers: Vec<Answer> =
            named.into_iter().map(|(key, value)| Answer { key, value, ..Answer::to(packet) }).collect();
        answers.push(Answer::to(packet));
        Answers { answers, close: false }
    }
}

/// The request, or the answer where it is none that memcached takes.
fn checked<'a>(packet: &RequestPacket<'a>) -> Result<Request<'a>, Answers> {
    if packet.key.len() > Key::MAX_LEN {
        return Err(Answers::invalid(packet));
    }
    // Unknown to memcached, so whatever is in it is not looked at.
    if packet.opcode == Opcode::VERBOSITY {
        return Err(Answers::refusing(packet, Status::UNKNOWN_COMMAND));
    }
    match packet.to_request() {
        Ok(Request::SaslAuth { mechanism: [], .. } | Request::SaslStep { mechanism: [], .. }) => {
            Err(Answers::invalid(packet))
        }
        Ok(request) => Ok(request),
        Err(DecodeError::Opcode { .. }) => Err(Answers::refusing(packet, Status::UNKNOWN_COMMAND)),
        Err(_) => Err(Answers::invalid(packet)),
    }
}

/// The answer of a command that looks an item up.
fn looked_up(packet: &RequestPacket<'_>, found: Option<Answer>, with_key: bool, quiet: bool) -> Answers {
    let key = if with_key { Bytes::copy_from_slice(packet.key) } else { Bytes::new() };
    match found {
        Some(answer) => Answers::one(Answer { key, ..answer }),
        None if quiet => Answers::none(),
        // The key comes in the place of the text.
        None if with_key => Answers::one(Answer { status: Status::KEY_NOT_FOUND, key, ..Answer::to(packet) }),
        None => Answers::refusing(packet, Status::KEY_NOT_FOUND),
    }
}

/// The answer of a command that gives a version, or 0.
fn done(packet: &RequestPacket<'_>, result: Result<u64, Refusal>, quiet: bool) -> Answers {
    match result {
        Ok(_) if quiet => Answers::none(),
        Ok(cas) => Answers::one(Answer { cas, ..Answer::to(packet) }),
        Err(refusal) => Answers::refusing(packet, refusal.status()),
    }
}

#[cfg(test)]
mod tests;
