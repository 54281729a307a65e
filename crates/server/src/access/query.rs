//! The credentials that a request brings: in its address, or as a bearer token.

use super::signed::Tx;
use crate::rtmp::query_value;

/// Longer values are not looked at; `jwt::TOKEN_BYTES_MAX` is the longest of use.
const VALUE_BYTES_MAX: usize = super::jwt::TOKEN_BYTES_MAX;

/// What of a request may let it in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// Tokens of either kind: of `Authorization: Bearer`, `token=` and `auth=`.
    pub tokens: [Option<&'a str>; 3],
    /// `txSecret=` and `txTime=`.
    pub tx: Option<Tx<'a>>,
}

impl<'a> Credentials<'a> {
    /// Reads a raw query and takes the bearer token with it. Of a name that stands there twice the first counts.
    pub fn of(query: &'a str, bearer: Option<&'a str>) -> Self {
        let value = |name| query_value(query, name).filter(|value| !value.is_empty());
        let fits = |value: Option<&'a str>| value.filter(|value| value.len() <= VALUE_BYTES_MAX);
        let tokens = [fits(bearer), fits(value("token")), fits(value("auth"))];
        let tx = value("txSecret").zip(value("txTime")).map(|(secret, time)| Tx { secret, time });
        Self { tokens, tx }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.tokens.iter().all(Option::is_none) && self.tx.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_wherever_they_stand_and_the_first_of_a_name_counts() {
        let found =
            Credentials::of("a=b&txTime=579ACB15&auth=v1.x&txSecret=aa&token=e.y.J&auth=v1.z", Some("b"));
        assert_eq!(found.tokens, [Some("b"), Some("e.y.J"), Some("v1.x")]);
        assert!(found.tx == Some(Tx { secret: "aa", time: "579ACB15" }));
        assert!(Credentials::of("txTime=579ACB15&auth=&token", None).is_empty());
        assert!(Credentials::of(&format!("token={}", "x".repeat(VALUE_BYTES_MAX + 1)), None).is_empty());
    }

    #[test]
    fn every_cut_of_a_query_is_read() {
        let query = "txSecret=2133c689c452f0bf81b1a88261f1d9a6&txTime=579ACB15&auth=v1.1.é";
        for (end, _) in query.char_indices() {
            let cut = Credentials::of(&query[..end], None);
            assert!(cut.tx.is_none() || end > 43, "cut at {end}");
        }
    }
}
