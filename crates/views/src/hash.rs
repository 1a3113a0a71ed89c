//! Hash values for the indexes. They decide where an entry is kept and how fast it is found, never what is answered.

use model::{AccountId, ClientOrderId, MarketId, OrderId};

/// Two odd constants with as many ones as zeros: the fractions of the golden ratio and of the square root of 3.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const ROOT: u64 = 0xBB67_AE85_84CA_A73B;

/// Mixes words by multiplying them into 128 bits and folding the halves together, from a seed that nobody outside knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hasher {
    seed: u64,
}

impl Hasher {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed: seed ^ ROOT }
    }

    #[inline]
    pub(crate) fn order(self, order: OrderId) -> u64 {
        fold(order.0 ^ self.seed, GOLDEN)
    }

    #[inline]
    pub(crate) fn client(self, account: AccountId, market: MarketId, name: &ClientOrderId) -> u64 {
        let (words, rest) = name.padded().as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let mut hash = fold(account.0 ^ self.seed, GOLDEN ^ u64::from(market.0));
        for word in words.iter().chain([&last]) {
            hash = fold(hash ^ u64::from_le_bytes(*word), GOLDEN ^ self.seed);
        }
        hash
    }
}

#[inline]
fn fold(left: u64, right: u64) -> u64 {
    let (low, high) = left.carrying_mul(right, 0);
    low ^ high
}
