//! The public half of an Ed25519 pair, as clients write it: the PEM that openssl makes, or the base64 of its bytes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The 32 bytes of RFC 8032.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// Why some text is no public half that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKeyError {
    /// It is the half that must not leave the client.
    Private,
    /// It belongs to an RSA pair.
    Rsa,
    /// It belongs to a pair of another kind.
    OtherKind,
    /// Anybody can make signatures that it takes.
    Weak,
    /// It cannot be read.
    Unreadable,
}

impl fmt::Display for PublicKeyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private => write!(
                out,
                "public_key is a private key: whoever has seen it can sign. Make a new pair, and send the public half only"
            ),
            Self::Rsa => write!(
                out,
                "public_key belongs to an RSA pair, which is not taken here: make an Ed25519 pair (openssl genpkey -algorithm \
                 ed25519), or leave public_key out for an HMAC secret"
            ),
            Self::OtherKind => write!(out, "public_key belongs to a pair of another kind than Ed25519"),
            Self::Weak => write!(
                out,
                "public_key is one of the few Ed25519 keys for which anybody can sign, such as 32 zeros: it is no half of a real pair"
            ),
            Self::Unreadable => write!(
                out,
                "public_key is neither a PEM that begins with -----BEGIN PUBLIC KEY----- nor the base64 of the 32 bytes of an \
                 Ed25519 key"
            ),
        }
    }
}

/// What stands before the 32 bytes in a `SubjectPublicKeyInfo`. Source: RFC 8410, section 4.
const ED25519_INFO: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The object identifier rsaEncryption in DER. Source: RFC 8017, appendix A.1.
const RSA_ID: [u8; 11] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];

/// The two points of order 8 whose coordinate is no small number, without the sign.
const OF_ORDER_EIGHT: [[u8; 32]; 2] = [
    [
        0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0, 0xD5,
        0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
    ],
    [
        0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F, 0x2A,
        0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
    ],
];

/// Whether it is a point whose order divides 8: with such a key a signature holds for about every eighth message, whoever made it.
/// Their coordinates are 0, 1, -1 and [`OF_ORDER_EIGHT`]; modulo p = 2^255 - 19, so p - 1, p and p + 1 as well.
fn is_weak(key: &[u8; 32]) -> bool {
    let mut unsigned = *key;
    unsigned[31] &= 0x7F;
    let [first, between @ .., last] = unsigned;
    let is_small = first <= 1 && last == 0 && between.iter().all(|byte| *byte == 0);
    let is_near_p =
        (0xEC..=0xEE).contains(&first) && last == 0x7F && between.iter().all(|byte| *byte == 0xFF);
    is_small || is_near_p || OF_ORDER_EIGHT.contains(&unsigned)
}

impl PublicKey {
    /// Reads a PEM, or base64 alone.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        let text = text.trim();
        let base64 = match text.strip_prefix("-----BEGIN ") {
            None => text,
            Some(pem) => {
                let (label, rest) = pem.split_once("-----").ok_or(PublicKeyError::Unreadable)?;
                match label {
                    "PUBLIC KEY" => {}
                    "RSA PUBLIC KEY" => return Err(PublicKeyError::Rsa),
                    _ if label.ends_with("PRIVATE KEY") => return Err(PublicKeyError::Private),
                    _ => return Err(PublicKeyError::Unreadable),
                }
                rest.strip_suffix("-----END PUBLIC KEY-----").ok_or(PublicKeyError::Unreadable)?
            }
        };
        let base64: String = base64.split_ascii_whitespace().collect();
        let bytes = STANDARD.decode(base64).map_err(|_| PublicKeyError::Unreadable)?;
        let key = bytes.strip_prefix(&ED25519_INFO).unwrap_or(&bytes);
        if let Ok(key) = <[u8; 32]>::try_from(key) {
            return if is_weak(&key) { Err(PublicKeyError::Weak) } else { Ok(Self(key)) };
        }
        let is_info = bytes.len() > 16 && bytes[0] == 0x30;
        if is_info && bytes.windows(RSA_ID.len()).any(|window| window == RSA_ID) {
            Err(PublicKeyError::Rsa)
        } else if is_info {
            Err(PublicKeyError::OtherKind)
        } else {
            Err(PublicKeyError::Unreadable)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE64: &str = "ZGF3d2FRYkBCeqoGv/ULpSgHRudY9NUe6laLvzN0IEs=";
    const INFO: &str = "MCowBQYDK2VwAyEAZGF3d2FRYkBCeqoGv/ULpSgHRudY9NUe6laLvzN0IEs=";
    const RSA_INFO: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDRuNmrOgkOTHdnLJiEyOPlSuof\nUITlbQNNR7M3WPFS/dQCu/vl2zPSBj2MV8Qt7eGgoYQmX0pKW/eU271w0BeF+bvc\n/d8d8GPQKcZ3aOKM/0rzB683k1RoFBJIMLUJ4MLR9qd6hiGZO/bZAtSnNWvR8rqH\nu9w1j5EOd4cIozvkvwIDAQAB";
    const P256_INFO: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhfBjtCAbyY+xoewNT1hUdb7Qw/pB\nNJ38g4/gxw1UuZeRoWtZSvXSL81OSoAatxVDbPGMSO21u0Ix3fzDpM1Eqw==";

    #[test]
    fn what_openssl_writes_is_read() {
        let bytes = <[u8; 32]>::try_from(STANDARD.decode(BASE64).unwrap()).unwrap();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{INFO}\n-----END PUBLIC KEY-----\n");
        for text in [BASE64, INFO, &pem, &pem.replace('\n', "\r\n"), &format!("  {BASE64}\n")] {
            assert_eq!(PublicKey::parse(text), Ok(PublicKey(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        let pem = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----");
        for (text, error) in [
            (pem("PRIVATE KEY", INFO), PublicKeyError::Private),
            (pem("EC PRIVATE KEY", INFO), PublicKeyError::Private),
            (pem("PUBLIC KEY", RSA_INFO), PublicKeyError::Rsa),
            (RSA_INFO.to_owned(), PublicKeyError::Rsa),
            (pem("RSA PUBLIC KEY", RSA_INFO), PublicKeyError::Rsa),
            (pem("PUBLIC KEY", P256_INFO), PublicKeyError::OtherKind),
            (pem("CERTIFICATE", INFO), PublicKeyError::Unreadable),
            (pem("PUBLIC KEY", "not base64!"), PublicKeyError::Unreadable),
            (String::new(), PublicKeyError::Unreadable),
            ("-----BEGIN ".to_owned(), PublicKeyError::Unreadable),
            (format!("-----BEGIN PUBLIC KEY-----\n{INFO}"), PublicKeyError::Unreadable),
            (BASE64[4..].to_owned(), PublicKeyError::Unreadable),
        ] {
            assert_eq!(PublicKey::parse(&text), Err(error), "{text}");
        }
        let mut weak = vec![[0; 32]; 2];
        weak[1][0] = 1;
        for first in 0xEC..=0xEE {
            weak.push([0xFF; 32]);
            let near_p = weak.last_mut().unwrap();
            (near_p[0], near_p[31]) = (first, 0x7F);
        }
        weak.extend(OF_ORDER_EIGHT);
        for mut key in weak {
            assert_eq!(PublicKey::parse(&STANDARD.encode(key)), Err(PublicKeyError::Weak), "{key:?}");
            key[31] |= 0x80;
            assert_eq!(PublicKey::parse(&STANDARD.encode(key)), Err(PublicKeyError::Weak), "with the sign");
            key[5] ^= 1;
            assert!(PublicKey::parse(&STANDARD.encode(key)).is_ok(), "only these");
        }
        assert!(PublicKeyError::Rsa.to_string().contains("Ed25519"));
    }
}
