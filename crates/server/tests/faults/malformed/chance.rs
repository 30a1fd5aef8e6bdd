//! Choices that are the same in every run.

/// A sequence of numbers without a pattern (SplitMix64), fixed by where it begins.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64, number: usize) -> Self {
        let mut chance = Self(seed ^ (number as u64).wrapping_mul(0xa076_1d64_78bd_642f));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// One of these.
    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// So many bytes of any value.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// So many printable ASCII characters.
    pub fn word(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| (33 + self.below(94)) as u8 as char)
            .collect()
    }
}
