//! Short names that live inside their owner: no allocation, no pointer, a fixed size.

use std::ffi::CStr;
use std::fmt;
use std::str::FromStr;

/// Up to `N` visible ASCII characters.
///
/// Behind the characters are zeros, which no character is: they say where it ends, and equality and hashing may look at the whole
/// array.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
}

/// Why some text is not a [`Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextError {
    /// It has more characters than the type holds.
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The longest allowed, in bytes.
        max: usize,
    },
    /// It has a character outside `!` to `~`.
    NotVisibleAscii {
        /// Position of the first such byte, from 0.
        at: usize,
    },
}

impl fmt::Display for TextError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len, max } => write!(out, "{len} characters, where at most {max} are allowed"),
            Self::NotVisibleAscii { at } => {
                write!(out, "character {} is not a visible ASCII character", at.saturating_add(1))
            }
        }
    }
}

impl std::error::Error for TextError {}

impl<const N: usize> Text<N> {
    /// No characters. Where an id is optional, this means none.
    pub const EMPTY: Self = Self { bytes: [0; N] };

    /// Copies `text`; refuses what is too long, and every byte that is not visible ASCII.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Self::from_bytes(text.as_bytes())
    }

    /// As [`Self::new`], from bytes.
    pub fn from_bytes(text: &[u8]) -> Result<Self, TextError> {
        if text.len() > N {
            return Err(TextError::TooLong { len: text.len(), max: N });
        }
        if let Some(at) = text.iter().position(|byte| !byte.is_ascii_graphic()) {
            return Err(TextError::NotVisibleAscii { at });
        }
        let mut bytes = [0; N];
        bytes[..text.len()].copy_from_slice(text);
        Ok(Self { bytes })
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("a Text holds ASCII only")
    }

    /// The characters as bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        CStr::from_bytes_until_nul(&self.bytes).map_or(&self.bytes, CStr::to_bytes)
    }

    /// The whole array, zeros behind the text: for hashing by words.
    #[inline]
    pub const fn padded(&self) -> &[u8; N] {
        &self.bytes
    }

    /// True when there are no characters.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.bytes[0] == 0
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> FromStr for Text<N> {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}

/// The name an owner gave an order; unique among the owner's open orders. Source: semantics 1.2 (at most 36 characters).
pub type ClientOrderId = Text<36>;
/// What an asset is called, such as `BTC`.
pub type AssetName = Text<16>;
/// What a market is called, such as `BTCUSDT`.
pub type MarketName = Text<32>;
/// What an account is called by its operator; unique.
pub type AccountName = Text<64>;
/// The public half of an API key.
pub type ApiKeyId = Text<64>;
/// What an owner calls an API key.
pub type KeyLabel = Text<64>;
/// What the custody service calls a deposit or a withdrawal; the same reference is executed once.
pub type Reference = Text<96>;
/// What a source of commands is called in the settings.
pub type SourceName = Text<64>;
/// What the queue of a source is called where it is.
pub type SourceKey = Text<128>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_refused_with_the_reason() {
        assert_eq!(Text::<4>::new("abcde"), Err(TextError::TooLong { len: 5, max: 4 }));
        assert_eq!(Text::<4>::new("a b"), Err(TextError::NotVisibleAscii { at: 1 }));
        assert_eq!(Text::<4>::new("abcd").unwrap().as_str(), "abcd");
        assert!(Text::<4>::new("").unwrap().is_empty());
    }

    #[test]
    fn order_is_that_of_the_characters() {
        let text = |text| Text::<8>::new(text).unwrap();
        assert!(text("a") < text("ab"));
        assert!(text("ab") < text("b"));
    }
}
