//! What the keys are called that belong to a stream. All lie where the stream lies in a cluster, because what is written
//! together must: a key without a hash tag of its own becomes the tag.

use model::PartitionId;

/// The keys beside a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    base: String,
}

impl Keys {
    /// Those of the stream with this key.
    pub fn of(stream: &str) -> Self {
        let has_tag = stream
            .split_once('{')
            .and_then(|(_, behind)| behind.split_once('}'))
            .is_some_and(|(tag, _)| !tag.is_empty());
        Self { base: if has_tag { stream.to_owned() } else { format!("{{{stream}}}") } }
    }

    /// The stream of results.
    pub fn replies(&self) -> String {
        format!("{}:replies", self.base)
    }

    /// The hash with the result of one entry.
    pub fn reply(&self, entry: &str) -> String {
        format!("{}:reply:{entry}", self.base)
    }

    /// How far results are written.
    pub fn position(&self, partition: PartitionId) -> String {
        format!("{}:position:{partition}", self.base)
    }

    /// The stream of what cannot be done.
    pub fn dead(&self) -> String {
        format!("{}:dead", self.base)
    }

    /// Who reads.
    pub fn lease(&self) -> String {
        format!("{}:lease", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_have_the_hash_tag_of_the_stream() {
        assert_eq!(Keys::of("{rialto}:orders").replies(), "{rialto}:orders:replies");
        assert_eq!(Keys::of("orders").reply("1-0"), "{orders}:reply:1-0");
        assert_eq!(Keys::of("{}orders").dead(), "{{}orders}:dead");
        assert_eq!(Keys::of("{a}:b").position(PartitionId(1)), "{a}:b:position:1");
    }
}
