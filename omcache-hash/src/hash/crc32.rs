//! CRC-32 (IEEE 802.3), whole and as libmemcached's 15 bits of it.

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The usual CRC-32, reflected, polynomial 0x04c11db7: zlib's `crc32`.
///
/// ```
/// assert_eq!(omcache_hash::hash::crc32(b"123456789"), 0xcbf4_3926);
/// ```
#[inline]
#[must_use]
pub fn crc32(key: &[u8]) -> u32 {
    !key.iter().fold(!0, |crc, &byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ TABLE[usize::from(low ^ byte)]
    })
}

/// libmemcached's `crc`: bits 16 to 30 of the CRC-32, so 0 to 32,767.
///
/// ```
/// assert_eq!(omcache_hash::hash::crc(b"123456789"), 0x4bf4);
/// ```
#[inline]
#[must_use]
pub fn crc(key: &[u8]) -> u32 {
    (crc32(key) >> 16) & 0x7fff
}
