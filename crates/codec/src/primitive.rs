//! Numbers, names and lists as bytes, and the macros that put structs and enums together from them.

use std::fmt;
use std::sync::Arc;

use model::{
    AccountId, AlgoId, Amount, AssetId, EntryId, EventSeq, FundingRate, MarketId, Marks, OrderId,
    PartitionId, PositionSide, PriceTicks, QtyLots, ReplacementId, Seq, Side, SourceId, Text, TimeNs,
    TradeGroup, TradeId, WithdrawalId,
};

/// Something with a stable byte form.
pub trait Coded: Sized {
    /// Appends its bytes.
    fn encode(&self, out: &mut Vec<u8>);
    /// Takes its bytes from the front of `input`.
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// Why bytes are not what they should be. Behind a good checksum this means a program of another version wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end in the middle of a value.
    Short,
    /// No variant has this tag.
    UnknownTag {
        /// Of what.
        what: &'static str,
        /// The tag.
        tag: u8,
    },
    /// A text is too long or not ASCII.
    BadText,
    /// Bytes are left over behind the last value.
    Trailing {
        /// How many.
        bytes: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(out, "the record ends in the middle of a value"),
            Self::UnknownTag { what, tag } => {
                write!(
                    out,
                    "{what} with tag {tag} is not known here: a newer version of the program wrote it"
                )
            }
            Self::BadText => write!(out, "a name in the record is too long or not ASCII"),
            Self::Trailing { bytes } => write!(out, "{bytes} bytes are left over behind the record"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Bytes to be decoded, from the front.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    #[inline]
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.rest = tail;
        Ok(head)
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Short)?;
        self.rest = tail;
        Ok(*head)
    }

    /// Asserts that nothing is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing { bytes: self.rest.len() }) }
    }
}

macro_rules! coded_integers {
    ($($type:ty),*) => {$(
        impl Coded for $type {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self::from_le_bytes(input.array()?))
            }
        }
    )*};
}
coded_integers!(u8, u16, u32, u64, i64, i128, u128);

macro_rules! coded_newtypes {
    ($($type:ident),*) => {$(
        impl Coded for $type {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }
            #[inline]
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self(Coded::decode(input)?))
            }
        }
    )*};
}
coded_newtypes!(
    AccountId,
    AlgoId,
    Amount,
    AssetId,
    EntryId,
    EventSeq,
    FundingRate,
    MarketId,
    Marks,
    OrderId,
    PartitionId,
    PriceTicks,
    QtyLots,
    ReplacementId,
    Seq,
    SourceId,
    TimeNs,
    TradeGroup,
    TradeId,
    WithdrawalId
);

impl Coded for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::decode(input)? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(DecodeError::UnknownTag { what: "a truth value", tag }),
        }
    }
}

impl<const N: usize> Coded for [u8; N] {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array()
    }
}

/// One length byte, then the characters.
impl<const N: usize> Coded for Text<N> {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        let bytes = self.as_bytes();
        out.push(u8::try_from(bytes.len()).expect("a Text is shorter than 256 bytes"));
        out.extend_from_slice(bytes);
    }
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = usize::from(u8::decode(input)?);
        Self::from_bytes(input.bytes(len)?).map_err(|_| DecodeError::BadText)
    }
}

/// The bytes behind their number, 32 bits.
impl Coded for String {
    fn encode(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).expect("texts are shorter than 4 GiB").encode(out);
        out.extend_from_slice(self.as_bytes());
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = u32::decode(input)?;
        let bytes = input.bytes(usize::try_from(len).map_err(|_| DecodeError::Short)?)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::BadText)
    }
}

/// The values behind their number, 32 bits.
impl<T: Coded> Coded for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).expect("lists are shorter than 2^32").encode(out);
        for value in self {
            value.encode(out);
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = u32::decode(input)?;
        // Every value has a byte at least, so a damaged number cannot ask for more memory than there are bytes.
        let mut values =
            Self::with_capacity(usize::try_from(len).unwrap_or(usize::MAX).min(input.remaining()));
        for _ in 0..len {
            values.push(T::decode(input)?);
        }
        Ok(values)
    }
}

/// 0, or 1 and the value.
impl<T: Coded> Coded for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if bool::decode(input)? { Ok(Some(T::decode(input)?)) } else { Ok(None) }
    }
}

impl<A: Coded, B: Coded> Coded for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::decode(input)?, B::decode(input)?))
    }
}

impl<T: Coded> Coded for Box<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode(self, out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(T::decode(input)?))
    }
}

impl<T: Coded> Coded for Arc<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode(self, out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(T::decode(input)?))
    }
}

/// The fields of a struct, in the order given.
#[macro_export]
macro_rules! coded_struct {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl $crate::Coded for $type {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::Coded::encode(&self.$field, out);)*
            }
            #[inline]
            fn decode(input: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                $(let $field = $crate::Coded::decode(input)?;)*
                Ok(Self { $($field),* })
            }
        }
    };
}

/// As `coded_struct`, with side and position side in one byte: of [`PositionSide::Both`](model::PositionSide::Both) it is that of the
/// side alone, as it was before there were others.
#[macro_export]
macro_rules! coded_sided_struct {
    ($type:ident { $($field:ident),* $(,)? }) => {
        $crate::coded_sided_struct!(@ $type [] $($field,)*);
    };
    (@ $type:ident [$($before:ident)*] side, position_side, $($after:ident,)*) => {
        impl $crate::Coded for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::Coded::encode(&self.$before, out);)*
                out.push($crate::sided(self.side, self.position_side));
                $($crate::Coded::encode(&self.$after, out);)*
            }
            fn decode(input: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                $(let $before = $crate::Coded::decode(input)?;)*
                let (side, position_side) = $crate::read_sided(input)?;
                $(let $after = $crate::Coded::decode(input)?;)*
                Ok(Self { $($before,)* side, position_side, $($after),* })
            }
        }
    };
    (@ $type:ident [$($before:ident)*] $next:ident, $($after:ident,)*) => {
        $crate::coded_sided_struct!(@ $type [$($before)* $next] $($after,)*);
    };
}

/// A side and a position side in one byte.
pub fn sided(side: Side, position_side: PositionSide) -> u8 {
    let sell = match side {
        Side::Buy => 0,
        Side::Sell => 1,
    };
    match position_side {
        PositionSide::Both => sell,
        PositionSide::Long => 2 | sell,
        PositionSide::Short => 4 | sell,
    }
}

/// What [`sided`] has written; another byte is an unknown tag.
pub fn read_sided(input: &mut Reader<'_>) -> Result<(Side, PositionSide), DecodeError> {
    let tag = u8::decode(input)?;
    let position_side = match tag >> 1 {
        0 => PositionSide::Both,
        1 => PositionSide::Long,
        2 => PositionSide::Short,
        _ => return Err(DecodeError::UnknownTag { what: "a side", tag }),
    };
    Ok((if tag & 1 == 0 { Side::Buy } else { Side::Sell }, position_side))
}

/// A tag byte, then the fields of the variant, in the order given.
#[macro_export]
macro_rules! coded_enum {
    ($type:ident, $what:literal { $($tag:literal => $variant:ident $(($inner:ident))? $({ $($field:ident),* })?),* $(,)? }) => {
        impl $crate::Coded for $type {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($inner))? $({ $($field),* })? => {
                        out.push($tag);
                        $($crate::Coded::encode($inner, out);)?
                        $($($crate::Coded::encode($field, out);)*)?
                    })*
                }
            }
            #[inline]
            fn decode(input: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                match <u8 as $crate::Coded>::decode(input)? {
                    $($tag => {
                        $(let $inner = $crate::Coded::decode(input)?;)?
                        $($(let $field = $crate::Coded::decode(input)?;)*)?
                        Ok(Self::$variant $(($inner))? $({ $($field),* })?)
                    })*
                    tag => Err($crate::DecodeError::UnknownTag { what: $what, tag }),
                }
            }
        }
    };
}
