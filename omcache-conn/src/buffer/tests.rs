//! How much memory the buffers keep.

use super::*;

#[test]
fn a_stream_that_never_runs_dry_keeps_about_what_is_unsent() {
    let (mut pool, mut out) = (Pool::default(), Outgoing::default());
    let packet: Vec<u8> = (0..=250).collect();
    let mut sent = Vec::new();
    for round in 0..10_000 {
        out.extend(&packet, &mut pool);
        if round >= 100 {
            sent.extend_from_slice(&out.unsent()[..packet.len()]);
            out.advance(packet.len(), &mut pool);
        }
        assert!(out.len() <= 100 * packet.len());
    }
    assert!(out.buffer.capacity() <= 400 * packet.len(), "{} bytes", out.buffer.capacity());
    assert!(sent.chunks(packet.len()).all(|chunk| chunk == packet));
}

#[test]
fn what_is_cut_off_does_not_stay_in_memory() {
    let (mut pool, mut out) = (Pool::default(), Outgoing::default());
    out.extend(&vec![1; 5_000_000], &mut pool);
    out.advance(10, &mut pool);
    let tail = out.split_tail(5_000_000 - 10);
    assert_eq!((tail.len(), out.len(), out.buffer.capacity()), (5_000_000 - 10, 0, 0));
    assert!(tail.freeze().is_unique());
    // A part that stays keeps its bytes.
    out.extend(b"0123456789", &mut pool);
    out.advance(2, &mut pool);
    assert_eq!(&out.split_tail(5)[..], b"56789");
    assert_eq!(out.unsent(), b"234");
    // No more than what is unsent can be cut off.
    assert_eq!(&out.split_tail(100)[..], b"234");
    assert!(out.is_empty());
}

#[test]
fn the_pool_keeps_few_buffers_and_no_huge_ones() {
    let mut pool = Pool::default();
    for len in [0, 10, CHUNK, MAX_KEPT, MAX_KEPT + 1] {
        for _ in 0..2 * POOLED {
            pool.give_outgoing(vec![0; len]);
            pool.give_chunk(BytesMut::zeroed(len));
        }
    }
    assert_eq!((pool.chunks.len(), pool.large.len()), (POOLED, 1));
    let capacities = |kept: &[BytesMut]| kept.iter().map(BytesMut::capacity).collect::<Vec<_>>();
    let outgoing: Vec<_> = pool.outgoing.kept.iter().map(Vec::capacity).collect();
    assert_eq!(outgoing.iter().sum::<usize>(), pool.outgoing.bytes);
    let most = [MAX_KEPT, POOLED * CHUNK, MAX_KEPT];
    for (kept, most) in [outgoing, capacities(&pool.chunks), capacities(&pool.large)].into_iter().zip(most) {
        assert!(kept.iter().all(|&bytes| bytes >= 10));
        assert!(kept.iter().sum::<usize>() <= most);
    }
    // What was kept makes room where it is taken.
    let kept = pool.outgoing.bytes;
    let taken = pool.take_outgoing();
    assert_eq!(pool.outgoing.bytes, kept - taken.capacity());
    pool.give_outgoing(vec![0; MAX_KEPT - pool.outgoing.bytes]);
    assert_eq!(pool.outgoing.bytes, MAX_KEPT);
    // Small ones are as many as there are connections.
    let mut pool = Pool::default();
    (0..5 * POOLED).for_each(|_| pool.give_outgoing(vec![0; 1_000]));
    assert_eq!(pool.outgoing.kept.len(), 5 * POOLED);
}

#[test]
fn a_long_message_is_copied_once_at_most() {
    let mut pool = Pool::default();
    let mut incoming = Incoming::default();
    let len = 500_000;
    let (mut place, mut moves) = (0, 0);
    let mut received = 0;
    while received < len {
        let space = incoming.space(&mut pool);
        let count = space.len().min(1_460).min(len - received);
        space[..count].fill(7);
        incoming.received(count);
        received += count;
        incoming.lacks(len - received);
        let at = incoming.pending().as_ptr().addr();
        moves += usize::from(at != place);
        place = at;
    }
    assert_eq!((incoming.pending().len(), moves), (len, 2), "its first chunk, and one for all of it");
}

/// Bytes as they are read.
fn read(incoming: &mut Incoming, pool: &mut Pool, bytes: &[u8]) {
    incoming.space(pool)[..bytes.len()].copy_from_slice(bytes);
    incoming.received(bytes.len());
}

#[test]
fn what_was_seen_is_held_until_it_is_released() {
    for hold in [false, true] {
        let mut pool = Pool { hold, ..Pool::default() };
        let mut incoming = Incoming::default();
        // A chunk that is left for a larger one in the middle of a message, one that is read to its end, and one that
        // goes with its connection.
        read(&mut incoming, &mut pool, b"first and the begin");
        incoming.consume(5);
        incoming.lacks(2 * CHUNK);
        read(&mut incoming, &mut pool, &[b'n'; 2 * CHUNK]);
        incoming.consume(14 + 2 * CHUNK);
        incoming.settle(&mut pool);
        read(&mut incoming, &mut pool, b"third, and a part");
        incoming.consume(6);
        incoming.reset(&mut pool);
        assert!(incoming.pending().is_empty());
        let held: Vec<_> = pool.held.iter().map(|bytes| bytes.first_chunk::<5>().unwrap()).collect();
        let expected: &[_] = if hold { &[b"first", b" and ", b"third"] } else { &[] };
        assert_eq!(held, expected);
        pool.release(0);
        assert!(pool.held.is_empty());
    }
}

#[test]
fn what_was_held_is_read_into_again() {
    let chunk_of = |incoming: &mut Incoming, pool: &mut Pool| incoming.space(pool).as_ptr_range();
    let mut pool = Pool { hold: true, ..Pool::default() };
    let mut incoming = Incoming::default();
    let first = chunk_of(&mut incoming, &mut pool);
    for round in 0..100 {
        // What is left of the chunk goes to the list, or is the spare one where what was seen was held before.
        read(&mut incoming, &mut pool, &[b'r'; 1_000]);
        incoming.consume(1_000);
        if round % 2 == 0 {
            incoming.hold_decoded(&mut pool);
        }
        incoming.settle(&mut pool);
        assert_eq!(pool.held.len(), 1);
        pool.release(0);
        assert_eq!(chunk_of(&mut incoming, &mut pool), first, "round {round}");
    }
    // While the rest is in use, a piece is of no use to anybody.
    read(&mut incoming, &mut pool, b"seen and not yet");
    incoming.consume(4);
    incoming.hold_decoded(&mut pool);
    pool.release(0);
    assert!(pool.chunks.is_empty());
    assert_eq!(incoming.pending(), b" and not yet");
}

#[test]
fn a_chunk_stays_whole_where_little_of_it_is_left() {
    let mut pool = Pool { hold: true, ..Pool::default() };
    let mut connections = [Incoming::default(), Incoming::default()];
    let mut seen = Vec::new();
    for round in 0..100 {
        for (number, incoming) in connections.iter_mut().enumerate() {
            let space = incoming.space(&mut pool).as_ptr_range();
            if round == 0 {
                seen.push(space);
            } else {
                assert!(seen.contains(&space), "round {round}");
            }
            // A different rest each time, too short to be read into.
            let len = CHUNK - 1 - (round * 150 + number) % MIN_SPACE;
            read(incoming, &mut pool, &vec![b'r'; len]);
            incoming.consume(len);
            incoming.settle(&mut pool);
        }
        pool.release(0);
        assert_eq!(pool.chunks.iter().map(BytesMut::len).collect::<Vec<_>>(), [CHUNK, CHUNK]);
    }
}

#[test]
fn neighbours_are_not_taken_for_one_chunk() {
    let mut pool = Pool { hold: true, ..Pool::default() };
    // One allocation that is cut in two, as if each part were one of its own.
    let mut first = BytesMut::zeroed(2 * CHUNK);
    let second = first.split_off(CHUNK);
    pool.chunks.push(second);
    pool.held.push(first);
    pool.release(0);
    assert_eq!(pool.chunks.iter().map(BytesMut::len).collect::<Vec<_>>(), [CHUNK, CHUNK]);
}
