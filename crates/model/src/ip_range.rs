//! Internet addresses from which something may be done: one address, or all that begin alike.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// All addresses whose first `prefix_bits` are those of `network`; the bits behind are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IpRange {
    /// IPv4.
    V4 {
        /// The lowest address.
        network: u32,
        /// 0 to 32.
        prefix_bits: u8,
    },
    /// IPv6.
    V6 {
        /// The lowest address.
        network: u128,
        /// 0 to 128.
        prefix_bits: u8,
    },
}

/// Why some text is not an [`IpRange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpRangeError {
    /// What stands before the `/`, or the whole of it, is no address.
    NoAddress,
    /// What stands behind the `/` is no number.
    NoPrefix,
    /// The prefix is longer than an address of this kind.
    PrefixTooLong {
        /// The longest, in bits.
        max: u8,
    },
    /// The address has bits behind its prefix.
    BitsBehindPrefix {
        /// The range that begins like it.
        meant: IpRange,
    },
}

impl fmt::Display for IpRangeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => write!(out, "it is no IPv4 or IPv6 address, such as 192.0.2.7 or 2001:db8::7"),
            Self::NoPrefix => write!(out, "behind the / belongs a number of bits, as in 192.0.2.0/24"),
            Self::PrefixTooLong { max } => write!(out, "an address of this kind has only {max} bits"),
            Self::BitsBehindPrefix { meant } => {
                write!(
                    out,
                    "the address has bits behind its prefix; {meant} is the range that begins like it"
                )
            }
        }
    }
}

impl std::error::Error for IpRangeError {}

/// The bits that the prefix covers; `None` when it is longer than an address.
fn v4_mask(prefix_bits: u8) -> Option<u32> {
    let behind = 32_u32.checked_sub(prefix_bits.into())?;
    Some(u32::MAX.checked_shl(behind).unwrap_or(0))
}

fn v6_mask(prefix_bits: u8) -> Option<u128> {
    let behind = 128_u32.checked_sub(prefix_bits.into())?;
    Some(u128::MAX.checked_shl(behind).unwrap_or(0))
}

impl IpRange {
    /// True when the prefix is no longer than an address, and no bit behind it is set.
    pub fn is_valid(&self) -> bool {
        match *self {
            Self::V4 { network, prefix_bits } => {
                v4_mask(prefix_bits).is_some_and(|mask| network & !mask == 0)
            }
            Self::V6 { network, prefix_bits } => {
                v6_mask(prefix_bits).is_some_and(|mask| network & !mask == 0)
            }
        }
    }

    /// True when `address` is one of them. An IPv4 address that is written as an IPv6 address (`::ffff:192.0.2.7`), as a socket
    /// that listens to both kinds tells it, counts as the IPv4 address that it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (*self, address.to_canonical()) {
            (Self::V4 { network, prefix_bits }, IpAddr::V4(address)) => {
                v4_mask(prefix_bits).is_some_and(|mask| address.to_bits() & mask == network)
            }
            (Self::V6 { network, prefix_bits }, IpAddr::V6(address)) => {
                v6_mask(prefix_bits).is_some_and(|mask| address.to_bits() & mask == network)
            }
            (Self::V4 { .. }, IpAddr::V6(_)) | (Self::V6 { .. }, IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for IpRange {
    type Err = IpRangeError;

    fn from_str(text: &str) -> Result<Self, IpRangeError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| IpRangeError::NoAddress)?;
        // With a prefix, an address is what it is written as; alone, it is what it stands for.
        let address = if prefix.is_none() { address.to_canonical() } else { address };
        let max: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => max,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| IpRangeError::PrefixTooLong { max })?
            }
            Some(_) => return Err(IpRangeError::NoPrefix),
        };
        if prefix_bits > max {
            return Err(IpRangeError::PrefixTooLong { max });
        }
        let (written, meant) = match address {
            IpAddr::V4(address) => {
                let (network, mask) = (address.to_bits(), v4_mask(prefix_bits).unwrap_or(u32::MAX));
                (Self::V4 { network, prefix_bits }, Self::V4 { network: network & mask, prefix_bits })
            }
            IpAddr::V6(address) => {
                let (network, mask) = (address.to_bits(), v6_mask(prefix_bits).unwrap_or(u128::MAX));
                (Self::V6 { network, prefix_bits }, Self::V6 { network: network & mask, prefix_bits })
            }
        };
        if written == meant { Ok(written) } else { Err(IpRangeError::BitsBehindPrefix { meant }) }
    }
}

/// One address stands alone, a range with its prefix.
impl fmt::Display for IpRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4 { network, prefix_bits: 32 } => write!(out, "{}", Ipv4Addr::from_bits(network)),
            Self::V4 { network, prefix_bits } => {
                write!(out, "{}/{prefix_bits}", Ipv4Addr::from_bits(network))
            }
            Self::V6 { network, prefix_bits: 128 } => write!(out, "{}", Ipv6Addr::from_bits(network)),
            Self::V6 { network, prefix_bits } => {
                write!(out, "{}/{prefix_bits}", Ipv6Addr::from_bits(network))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> IpRange {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_has_the_addresses_that_begin_like_it() {
        for (text, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.0/24", "::ffff:192.0.2.9", "::192.0.2.9"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("::/0", "2001:db8::1", "192.0.2.7"),
        ] {
            let range = range(text);
            assert!(range.is_valid(), "{text}");
            assert!(range.contains(inside.parse().unwrap()), "{inside} is in {text}");
            assert!(!range.contains(outside.parse().unwrap()), "{outside} is not in {text}");
            assert_eq!(range.to_string().parse(), Ok(range), "{text} is written as it is read");
        }
        assert_eq!(range("192.0.2.7/32").to_string(), "192.0.2.7");
        assert_eq!(range("2001:0db8:0::/48").to_string(), "2001:db8::/48");
    }

    #[test]
    fn what_is_no_range_is_refused_with_what_would_be_one() {
        let error = |text: &str| text.parse::<IpRange>().unwrap_err();
        for text in ["", "example.org", "192.0.2", "192.0.2.7:80", "192.0.2.256", " 192.0.2.7", "/24"] {
            assert_eq!(error(text), IpRangeError::NoAddress, "{text}");
        }
        for text in ["192.0.2.0/", "192.0.2.0/x", "192.0.2.0/+8", "192.0.2.0/24/8", "192.0.2.0/255.0.0.0"] {
            assert_eq!(error(text), IpRangeError::NoPrefix, "{text}");
        }
        assert_eq!(error("192.0.2.0/33"), IpRangeError::PrefixTooLong { max: 32 });
        assert_eq!(error("::/129"), IpRangeError::PrefixTooLong { max: 128 });
        assert_eq!(error("::/1000"), IpRangeError::PrefixTooLong { max: 128 });
        assert!(error("10.1.2.3/8").to_string().contains("10.0.0.0/8"), "{}", error("10.1.2.3/8"));
        assert!(error("2001:db8::1/64").to_string().contains("2001:db8::/64"));
    }

    #[test]
    fn what_a_journal_may_hold_never_panics() {
        for prefix_bits in 0..=u8::MAX {
            let ranges = [
                IpRange::V4 { network: u32::MAX, prefix_bits },
                IpRange::V6 { network: u128::MAX, prefix_bits },
            ];
            for range in ranges {
                let all = IpAddr::V4(Ipv4Addr::BROADCAST);
                assert!(range.is_valid() || !range.contains(all), "{range}");
            }
        }
    }
}
