//! Opcodes and statuses over all their numbers.

use std::collections::HashSet;

use omcache_proto::binary::{Opcode, Status};

fn opcodes() -> impl Iterator<Item = Opcode> {
    (0..=u8::MAX).map(Opcode)
}

#[test]
fn the_named_opcodes_are_the_protocols() {
    let named: Vec<u8> = opcodes().filter(|opcode| opcode.name().is_some()).map(|opcode| opcode.0).collect();
    let expected: Vec<u8> = (0x00..=0x1e).chain(0x20..=0x24).chain(0x30..=0x3c).collect();
    assert_eq!(named, expected);

    let names: HashSet<_> = opcodes().filter_map(Opcode::name).collect();
    assert_eq!(names.len(), expected.len(), "two opcodes share a name");
}

#[test]
fn quiet_opcodes_end_in_q() {
    for opcode in opcodes() {
        let ends_in_q = opcode.name().is_some_and(|name| name.ends_with('Q'));
        assert_eq!(opcode.is_quiet(), ends_in_q, "{opcode:?}");
    }
}

#[test]
fn quiet_and_loud_are_each_others_inverse() {
    for opcode in opcodes() {
        assert!(!opcode.loud().is_quiet(), "{opcode:?}");
        assert_eq!(opcode.loud().loud(), opcode.loud(), "{opcode:?}");
        if let Some(quiet) = opcode.quiet() {
            assert!(quiet.is_quiet(), "{opcode:?}");
            assert_eq!(quiet.loud(), opcode.loud(), "{opcode:?}");
            assert_eq!(quiet.quiet(), Some(quiet), "{opcode:?}");
            let loud = opcode.loud().name().expect("a named opcode");
            assert_eq!(quiet.name(), Some(&*format!("{loud}Q")));
        } else {
            assert_eq!(opcode.loud(), opcode);
        }
    }
    let without: Vec<_> = opcodes().filter(|o| o.name().is_some() && o.quiet().is_none()).collect();
    assert_eq!(
        without,
        [
            Opcode::NOOP,
            Opcode::VERSION,
            Opcode::STAT,
            Opcode::VERBOSITY,
            Opcode::TOUCH,
            Opcode::SASL_LIST_MECHS,
            Opcode::SASL_AUTH,
            Opcode::SASL_STEP,
            Opcode::RGET,
        ]
    );
}

#[test]
fn families() {
    let of = |is: fn(Opcode) -> bool| opcodes().filter(|&opcode| is(opcode)).collect::<Vec<_>>();
    assert_eq!(of(Opcode::is_quiet_on_miss), [Opcode::GETQ, Opcode::GETKQ, Opcode::GATQ, Opcode::GATKQ]);
    assert_eq!(
        of(Opcode::is_get_family),
        [
            Opcode::GET,
            Opcode::GETQ,
            Opcode::GETK,
            Opcode::GETKQ,
            Opcode::GAT,
            Opcode::GATQ,
            Opcode::GATK,
            Opcode::GATKQ
        ]
    );
    assert_eq!(
        of(Opcode::is_counter),
        [Opcode::INCREMENT, Opcode::DECREMENT, Opcode::INCREMENTQ, Opcode::DECREMENTQ]
    );
}

#[test]
fn opcodes_print_as_name_or_number() {
    assert_eq!(format!("{:?} {}", Opcode::SASL_LIST_MECHS, Opcode::GATKQ), "SASL_LIST_MECHS GATKQ");
    assert_eq!(format!("{:?} {}", Opcode(0x1f), Opcode(0xff)), "0x1f 0xff");
}

#[test]
fn the_named_statuses_are_the_protocols() {
    let statuses = || (0..=u16::MAX).map(Status);
    let named: Vec<u16> =
        statuses().filter(|status| status.name().is_some()).map(|status| status.0).collect();
    let expected: Vec<u16> = (0x00..=0x07).chain(0x20..=0x22).chain(0x81..=0x86).collect();
    assert_eq!(named, expected);

    for status in statuses() {
        assert_eq!(status.message().is_some(), status.name().is_some(), "{status:?}");
        assert_eq!(status.is_success(), status == Status::SUCCESS);
    }
    let names: HashSet<_> = statuses().filter_map(Status::name).collect();
    let messages: HashSet<_> = statuses().filter_map(Status::message).collect();
    assert_eq!((names.len(), messages.len()), (expected.len(), expected.len()));
}

#[test]
fn statuses_print_as_text_or_number() {
    assert_eq!(
        format!("{:?}: {}", Status::OUT_OF_MEMORY, Status::OUT_OF_MEMORY),
        "OUT_OF_MEMORY: out of memory"
    );
    assert_eq!(format!("{:?}: {}", Status(0x99), Status(0x99)), "0x0099: status 0x0099");
}
