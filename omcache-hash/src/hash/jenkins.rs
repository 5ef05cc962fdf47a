//! Bob Jenkins' lookup3 (`hashlittle`), initial value 13 as libmemcached has it.

/// libmemcached's `jenkins`: lookup3's `hashlittle` with the initial value 13.
///
/// Source: Jenkins, lookup3 (2006); libhashkit's `jenkins`.
#[inline]
#[must_use]
pub fn jenkins(key: &[u8]) -> u32 {
    const INITIAL: u32 = 13;
    // The length is meant to be cut to 32 bits.
    let start = 0xdead_beef_u32.wrapping_add(key.len() as u32).wrapping_add(INITIAL);
    let mut state = [start; 3];
    // The last group, full or not, is mixed by `finish`, so it is kept back from the loop.
    let kept = match key.len() {
        0 => return start,
        length => (length - 1) % 12 + 1,
    };
    let (groups, last) = key.split_at(key.len() - kept);
    for group in groups.as_chunks::<12>().0 {
        state = mix(add(state, group));
    }
    let mut padded = [0; 12];
    for (to, from) in padded.iter_mut().zip(last) {
        *to = *from;
    }
    finish(add(state, &padded))
}

fn add([a, b, c]: [u32; 3], group: &[u8; 12]) -> [u32; 3] {
    let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = *group;
    [
        a.wrapping_add(u32::from_le_bytes([a0, a1, a2, a3])),
        b.wrapping_add(u32::from_le_bytes([b0, b1, b2, b3])),
        c.wrapping_add(u32::from_le_bytes([c0, c1, c2, c3])),
    ]
}

fn mix([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    // Twice the same round with other shifts.
    for [first, second, third] in [[4, 6, 8], [16, 19, 4]] {
        a = a.wrapping_sub(c) ^ c.rotate_left(first);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(second);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(third);
        b = b.wrapping_add(a);
    }
    [a, b, c]
}

fn finish([mut a, mut b, mut c]: [u32; 3]) -> u32 {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}
