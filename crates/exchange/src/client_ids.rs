//! The hash under which an open order is found that an account calls by a name.

use model::{AccountId, ClientOrderId};

/// A hash of an account's name for an order.
pub fn hash(account: AccountId, name: &ClientOrderId) -> u32 {
    // Multiply and fold, two words at a time. Names are padded with zeros, so the length needs no treatment of its own. No
    // word of visible ASCII is `ODD`, so no product loses a word.
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let fold = |state: u64, one: u64, other: u64| {
        let product = u128::from(state ^ one).wrapping_mul(u128::from(other ^ ODD));
        let bytes = product.to_le_bytes();
        let (low, high) = bytes.split_at(8);
        let low = u64::from_le_bytes(low.try_into().expect("eight bytes"));
        let high = u64::from_le_bytes(high.try_into().expect("eight bytes"));
        low ^ high.rotate_left(23)
    };
    let (words, rest) = name.padded().as_chunks::<8>();
    let [a, b, c, d] = [0, 1, 2, 3].map(|word| u64::from_le_bytes(words[word]));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let state = fold(0x51_7C_C1_B7_27_22_0A_95, account.0, u64::from_le_bytes(last));
    let state = fold(fold(state, a, b), c, d);
    let bytes = (state ^ (state >> 32)).to_le_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tells_accounts_and_names_apart() {
        let name = |text: &str| ClientOrderId::new(text).unwrap();
        let hashes: std::collections::BTreeSet<u32> = (0..100_u64)
            .flat_map(|account| {
                (0..100).map(move |order| hash(AccountId(account), &name(&format!("order-{order}"))))
            })
            .collect();
        assert!(hashes.len() > 9_990, "{} different hashes of 10,000", hashes.len());
    }
}
