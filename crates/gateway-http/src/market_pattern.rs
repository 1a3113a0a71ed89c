//! Names and patterns of markets, as settings and arguments have them: `*` stands for any run of characters.

/// A name, or a pattern of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern<'a>(pub &'a str);

impl Pattern<'_> {
    /// False of a plain name.
    pub fn is_wild(self) -> bool {
        self.0.contains('*')
    }

    /// Whether it means this name.
    pub fn matches(self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        // The leftmost place of each part leaves the most for those behind it.
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    /// How much it says: a name more than every pattern, a longer pattern more than a shorter one.
    fn weight(self) -> (bool, usize) {
        (!self.is_wild(), self.0.len())
    }
}

/// Of several names and patterns the one that says most about a name; an error names two that say equally much and differ in
/// what they say.
pub fn most_specific<'a, T: Copy + PartialEq>(
    table: impl Iterator<Item = (&'a str, T)>,
    name: &str,
) -> Result<Option<T>, (&'a str, &'a str)> {
    let mut best: Option<(Pattern<'a>, T)> = None;
    let mut rival: Option<Pattern<'a>> = None;
    for (text, value) in table {
        let pattern = Pattern(text);
        if !pattern.matches(name) {
            continue;
        }
        match best {
            Some((before, _)) if before.weight() > pattern.weight() => {}
            Some((before, other)) if before.weight() == pattern.weight() => {
                rival = if other == value { rival } else { Some(pattern) };
            }
            Some(_) | None => (best, rival) = (Some((pattern, value)), None),
        }
    }
    match (best, rival) {
        (Some((pattern, _)), Some(rival)) => Err((pattern.0, rival.0)),
        (best, _) => Ok(best.map(|(_, value)| value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_of_characters() {
        for (pattern, name) in [
            ("BTCUSDT", "BTCUSDT"),
            ("*", ""),
            ("*", "BTCUSDT"),
            ("ETH*", "ETH"),
            ("ETH*", "ETHBTC"),
            ("*USDT", "BTCUSDT"),
            ("B*U*T", "BTCUSDT"),
            ("*A*A*", "AA"),
            ("A*BC*C", "ABCBCC"),
        ] {
            assert!(Pattern(pattern).matches(name), "{pattern} means {name}");
        }
        for (pattern, name) in
            [("BTC", "BTCUSDT"), ("", "A"), ("ETH*", "BETH"), ("A*A", "A"), ("*A*A*", "A"), ("A*BC*C", "ABC")]
        {
            assert!(!Pattern(pattern).matches(name), "{pattern} does not mean {name}");
        }
    }

    #[test]
    fn the_most_specific_one_says_it() {
        let table = [("*", 0), ("ETH*", 2), ("ETHBTC", 1), ("*BTC", 3), ("*DAI", 4), ("ETH*DAI", 5)];
        let of = |name| most_specific(table.iter().copied(), name);
        assert_eq!(of("BTCUSDT"), Ok(Some(0)));
        assert_eq!(of("ETHUSDT"), Ok(Some(2)));
        assert_eq!(of("ETHBTC"), Ok(Some(1)));
        assert_eq!(of("ETHDAI"), Ok(Some(5)));
        assert_eq!(of("ETHXBTC"), Err(("ETH*", "*BTC")));
        assert_eq!(most_specific([("A*", 1), ("*B", 1)].into_iter(), "AB"), Ok(Some(1)));
        assert_eq!(most_specific([("A*", 1)].into_iter(), "B"), Ok(None));
    }
}
