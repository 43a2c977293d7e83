//! Numbers that need not be secret: ports, and which frames are lost. They differ with the seed.

/// xorshift64 (Marsaglia 2003).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Zero would be followed by zeros.
        Self(seed | 1)
    }

    /// A number below `limit`, which is not zero.
    pub(super) fn below(&mut self, limit: u16) -> u16 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The high bits are the better ones; the remainder is below `limit`.
        u16::try_from((self.0 >> 32) % u64::from(limit)).unwrap_or_default()
    }
}
