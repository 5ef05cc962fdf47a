//! What became of each request, by the cluster's word and by the servers', held against each other.

use std::collections::BTreeMap;

use omcache_conn::{Failure, Outcome, Target};
use omcache_proto::binary::{Opcode, Status};

use super::peer::{Executed, Verdict};

/// What the cluster said of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet.
    Pending,
    /// It was answered; to STAT, by the last line.
    Answered { server: usize, status: Status, value: Vec<u8> },
    /// It ended without an answer.
    Settled(Outcome),
    /// It was taken back before it was sent.
    Cancelled,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) opcode: Opcode,
    pub(crate) key: Vec<u8>,
    pub(crate) target: Target,
    pub(crate) fate: Fate,
    /// Lines of an answer to STAT.
    pub(crate) lines: Vec<(Vec<u8>, Vec<u8>)>,
    /// Its header was written to a socket.
    written: bool,
    executed: Option<(Executed, String)>,
}

/// A response as the cluster handed it out.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) opaque: u32,
    pub(crate) opcode: Opcode,
    pub(crate) status: Status,
    pub(crate) server: usize,
    /// The name of that server.
    pub(crate) endpoint: String,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Every request that the cluster accepted.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    requests: BTreeMap<u32, Record>,
    /// Requests that were written up to somewhere in their header and then lost, without those that are said to be
    /// unknown and were not seen: each of these must be one of those.
    pub(crate) broken_headers: isize,
    /// A server may have changed a status, so that what it carried out and what it said differ.
    pub(crate) statuses_lie: bool,
}

impl Ledger {
    pub(crate) fn accept(&mut self, opaque: u32, opcode: Opcode, key: &[u8], target: Target) {
        let record = Record {
            opcode,
            key: key.to_vec(),
            target,
            fate: Fate::Pending,
            lines: Vec::new(),
            written: false,
            executed: None,
        };
        if let Some(before) = self.requests.insert(opaque, record) {
            assert_ne!(before.fate, Fate::Pending, "the opaque {opaque} is given twice");
        }
    }

    #[track_caller]
    pub(crate) fn record(&self, opaque: u32) -> &Record {
        self.requests.get(&opaque).unwrap_or_else(|| panic!("there is no request {opaque}"))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Record)> {
        self.requests.iter().map(|(&opaque, record)| (opaque, record))
    }

    /// The header of a request was written to a socket.
    pub(crate) fn written(&mut self, opaque: u32, opcode: Opcode) {
        let Some(record) = self.requests.get_mut(&opaque) else {
            assert_eq!(opcode, Opcode::NOOP, "request {opaque} was sent and never accepted");
            return;
        };
        assert_eq!(record.opcode, opcode, "request {opaque} changed");
        assert!(!record.written, "request {opaque} is sent twice");
        assert_eq!(record.fate, Fate::Pending, "request {opaque} is sent after its end");
        record.written = true;
    }

    /// A server carried a request out.
    pub(crate) fn executed(&mut self, executed: &Executed, endpoint: &str) {
        let Some(record) = self.requests.get_mut(&executed.opaque) else { return };
        let (opaque, executed) = (executed.opaque, executed.clone());
        assert!(record.written, "request {opaque} is carried out and was not sent");
        assert_eq!(
            (record.opcode, &record.key),
            (executed.opcode, &executed.key),
            "request {opaque} changed"
        );
        assert!(record.executed.is_none(), "request {opaque} is carried out twice");
        assert!(
            !matches!(record.fate, Fate::Cancelled | Fate::Settled(Outcome::NotSent(_))),
            "request {opaque} is carried out after {:?}",
            record.fate
        );
        record.executed = Some((executed, endpoint.to_owned()));
    }

    /// The cluster handed a response out.
    pub(crate) fn answered(&mut self, answer: Answer) {
        let opaque = answer.opaque;
        let Some(record) = self.requests.get_mut(&opaque) else { panic!("{answer:?} answers nothing") };
        assert_eq!(record.fate, Fate::Pending, "request {opaque} is answered after its end");
        assert_eq!(record.opcode.loud(), answer.opcode.loud(), "the answer to {opaque} is to something else");
        let Some((executed, endpoint)) = &record.executed else {
            panic!("request {opaque} is answered and was not carried out: {answer:?}");
        };
        assert_eq!(*endpoint, answer.endpoint, "request {opaque} is answered by another server");
        if answer.opcode == Opcode::STAT && answer.status.is_success() && !answer.key.is_empty() {
            record.lines.push((answer.key, answer.value));
            return;
        }
        let Verdict::Answer { status, value } = &executed.verdict else {
            panic!("request {opaque} is answered, and the server was silent");
        };
        if *status != answer.status {
            assert!(self.statuses_lie, "request {opaque} got another status");
        }
        // A line of STAT that came as an error has a name and a value of its own.
        if answer.opcode != Opcode::STAT {
            assert_eq!(*value, answer.value, "request {opaque} got another value");
            let is_its_key = answer.key.is_empty() || answer.key == record.key;
            assert!(is_its_key, "request {opaque} got another key");
        }
        let Answer { server, status, value, .. } = answer;
        record.fate = Fate::Answered { server, status, value };
    }

    /// The cluster settled a request.
    pub(crate) fn settled(&mut self, opaque: u32, opcode: Opcode, outcome: Outcome) {
        let Some(record) = self.requests.get_mut(&opaque) else { panic!("{outcome:?} of nothing: {opaque}") };
        assert_eq!(record.fate, Fate::Pending, "request {opaque} ends again with {outcome:?}");
        assert_eq!(record.opcode, opcode);
        let verdict = record.executed.as_ref().map(|(executed, _)| &executed.verdict);
        match &outcome {
            Outcome::Silent => {
                assert!(opcode.is_quiet(), "request {opaque} is not quiet");
                assert_eq!(verdict, Some(&Verdict::Silent), "request {opaque} is silent without being so");
            }
            Outcome::NotSent(_) => {
                assert!(!record.written, "request {opaque} was sent, and is said not to be")
            }
            Outcome::Unknown(_) if record.written => {}
            Outcome::Unknown(_) => self.broken_headers -= 1,
            Outcome::ResponseTooLarge { .. } => {
                assert!(matches!(verdict, Some(Verdict::Answer { .. })), "request {opaque} was not answered");
            }
            other => panic!("an outcome of no known kind: {other:?}"),
        }
        record.fate = Fate::Settled(outcome);
    }

    /// The short form of a silence, which names no opcode.
    pub(crate) fn silent(&mut self, opaque: u32) {
        let Some(record) = self.requests.get(&opaque) else { panic!("silence about nothing: {opaque}") };
        self.settled(opaque, record.opcode, Outcome::Silent);
    }

    pub(crate) fn cancelled(&mut self, opaque: u32) {
        let Some(record) = self.requests.get_mut(&opaque) else {
            panic!("{opaque} is cancelled and unknown")
        };
        assert_eq!(record.fate, Fate::Pending, "request {opaque} is cancelled after its end");
        assert!(!record.written, "request {opaque} was sent, and is taken back");
        record.fate = Fate::Cancelled;
    }

    /// Requests whose fate is not known.
    pub(crate) fn pending(&self) -> Vec<u32> {
        self.iter().filter(|(_, record)| record.fate == Fate::Pending).map(|(opaque, _)| opaque).collect()
    }
}

impl Fate {
    pub(crate) fn is_not_sent(&self) -> bool {
        matches!(self, Fate::Settled(Outcome::NotSent(_)))
    }

    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Fate::Settled(Outcome::Unknown(_)))
    }

    /// Why it failed, sent or not.
    #[track_caller]
    pub(crate) fn failure(&self) -> &Failure {
        match self {
            Fate::Settled(Outcome::NotSent(failure) | Outcome::Unknown(failure)) => failure,
            other => panic!("no failure: {other:?}"),
        }
    }
}
