//! Chance, from one seed.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// The dice of one run.
#[derive(Debug, Clone)]
pub struct Chance(ChaCha20Rng);

impl Chance {
    /// Makes the dice of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// Returns a number below `end` (at least 1).
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("a usize fits");
        usize::try_from(self.0.next_u64() % end).expect("it is below a usize")
    }

    /// Returns true once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Returns true once in `n` times, and never if `n` is 0.
    pub fn ever(&mut self, n: usize) -> bool {
        n > 0 && self.one_in(n)
    }

    /// Returns one of several, by weight. Something must have a weight.
    pub fn weighted<T: Copy>(&mut self, of: &[(T, usize)]) -> T {
        let sum = of.iter().map(|(_, weight)| weight).sum();
        let mut at = self.below(sum);
        for (one, weight) in of {
            if at < *weight {
                return *one;
            }
            at -= weight;
        }
        unreachable!("nothing has a weight")
    }

    /// Returns one of several.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() {
            return None;
        }
        let at = self.below(of.len());
        of.get(at).cloned()
    }

    /// Returns the source of randomness.
    pub fn rng(&mut self) -> &mut dyn Rng {
        &mut self.0
    }

    /// Returns `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
