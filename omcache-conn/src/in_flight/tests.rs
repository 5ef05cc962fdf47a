//! What the FIFO counts and finds, whatever is taken out of it.

use super::*;

fn entry(opaque: u32, opcode: Opcode) -> Entry {
    Entry::new(opaque, 24 + opaque % 3, opcode, Origin::Key)
}

#[test]
fn a_response_settles_the_quiet_requests_before_it() {
    let mut fifo = InFlight::default();
    for (opaque, opcode) in [(1, Opcode::GETQ), (2, Opcode::SETQ), (3, Opcode::NOOP), (4, Opcode::GET)] {
        fifo.push(entry(opaque, opcode), &mut Pool::default());
    }
    assert_eq!(fifo.find(3, 0), Match::Entry { silent: 2 });
    assert_eq!(fifo.find(2, 0), Match::Entry { silent: 1 });
    assert_eq!(fifo.find(4, 0), Match::None, "a loud request stands before it");
    assert_eq!(fifo.find(9, 0), Match::None);
    assert_eq!((fifo.loud(), fifo.quiet_run()), (2, 0));
}

#[test]
fn what_is_not_sent_is_not_answered() {
    let mut fifo = InFlight::default();
    for (opaque, opcode) in [(1, Opcode::GETQ), (2, Opcode::GETQ), (3, Opcode::NOOP)] {
        fifo.push(Entry::new(opaque, 30, opcode, Origin::Key), &mut Pool::default());
    }
    assert_eq!(fifo.find(3, 29), Match::Entry { silent: 2 }, "one byte of it is sent");
    assert_eq!(fifo.find(3, 30), Match::None);
    assert_eq!(fifo.find(2, 30), Match::Entry { silent: 1 });
    assert_eq!(fifo.find(2, 60), Match::None);
    // What is left of an earlier packet that was answered before its end.
    assert_eq!(fifo.find(1, 1000), Match::None);
    fifo.pop();
    assert_eq!((fifo.find(2, 59), fifo.find(2, 60)), (Match::Entry { silent: 0 }, Match::None));
    fifo.split_tail(1);
    assert_eq!((fifo.find(2, 29), fifo.find(2, 30)), (Match::Entry { silent: 0 }, Match::None));
}

#[test]
fn quiet_run_counts_what_nothing_will_settle() {
    let mut fifo = InFlight::default();
    fifo.push(entry(1, Opcode::GET), &mut Pool::default());
    fifo.push(entry(2, Opcode::SETQ), &mut Pool::default());
    fifo.push(entry(3, Opcode::SETQ), &mut Pool::default());
    assert_eq!(fifo.quiet_run(), 2);
    fifo.pop();
    fifo.pop();
    assert_eq!((fifo.loud(), fifo.quiet_run()), (0, 1));
    fifo.push(entry(4, Opcode::NOOP), &mut Pool::default());
    assert_eq!(fifo.quiet_run(), 0);
}

#[test]
fn one_that_is_not_sent_is_found_from_both_ends_and_taken_out() {
    let mut fifo = InFlight::default();
    let opcodes = [Opcode::GETQ, Opcode::GET, Opcode::GETQ, Opcode::NOOP, Opcode::SETQ, Opcode::SETQ];
    for (opaque, opcode) in (0..).zip(opcodes) {
        fifo.push(Entry::new(opaque, 10 + opaque, opcode, Origin::Key), &mut Pool::default());
    }
    // Lengths 10 to 15; the last four have 54 bytes.
    for (opaque, expected) in
        [(0, None), (1, None), (2, Some((2, 42))), (3, Some((3, 29))), (5, Some((5, 0)))]
    {
        assert_eq!(fifo.find_unsent(opaque, 54), expected, "{opaque}");
    }
    assert_eq!((fifo.find_unsent(2, 53), fifo.find_unsent(9, 75)), (None, None));
    assert_eq!(fifo.find_unsent(0, 75), Some((0, 65)));
    assert_eq!((fifo.loud(), fifo.quiet_run()), (2, 2));
    let mut take = |at, expected: u32| {
        assert_eq!(fifo.remove(at).map(|entry| entry.opaque), Some(expected));
        (fifo.loud(), fifo.quiet_run(), fifo.bytes)
    };
    assert_eq!(take(4, 4), (2, 1, 61));
    assert_eq!(take(0, 0), (2, 1, 51));
    assert_eq!(take(2, 3), (1, 2, 38), "two runs become one");
    assert_eq!(take(0, 1), (0, 2, 27));
    assert_eq!(take(1, 5), (0, 1, 12));
    fifo.disown_front();
    assert_eq!(fifo.find_unsent(2, 12), None, "it is nobody's any more");
}

#[test]
fn one_is_found_by_its_opaque_in_any_order() {
    let mut fifo = InFlight::default();
    let opaques = [u32::MAX - 1, u32::MAX, 0, 7, 8, 3, 9, 20];
    for opaque in opaques {
        fifo.push(entry(opaque, Opcode::GET), &mut Pool::default());
        let noop = Entry { origin: Origin::Internal, ..entry(opaque ^ INTERNAL, Opcode::NOOP) };
        fifo.push(noop, &mut Pool::default());
    }
    for opaque in opaques {
        assert_eq!(fifo.entry(opaque).map(|entry| entry.opaque), Some(opaque));
        assert_eq!(fifo.entry(opaque ^ INTERNAL), None, "it is nobody's");
    }
    assert_eq!((fifo.entry(1), fifo.entry(21), InFlight::default().entry(1)), (None, None, None));
}

#[test]
fn a_packet_that_is_sent_in_part_is_not_unsent() {
    let mut fifo = InFlight::default();
    for opaque in 0..3 {
        fifo.push(Entry::new(opaque, 10, Opcode::GET, Origin::Key), &mut Pool::default());
    }
    assert_eq!(fifo.unsent(30), (3, 30));
    assert_eq!(fifo.unsent(29), (2, 20));
    assert_eq!(fifo.unsent(9), (0, 0));
    let tail = fifo.split_tail(2);
    assert_eq!(tail.iter().map(|entry| entry.opaque).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((fifo.len(), fifo.loud()), (1, 1));
}
