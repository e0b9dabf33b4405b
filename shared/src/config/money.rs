//! Sums of money as whole numbers.

/// Parts of the unit of prices.
const PARTS: f64 = 1_000_000.0;

/// A sum that is not negative, in parts.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be positive; it saturates")]
pub(super) fn parts(money: f64) -> u64 {
    (money * PARTS).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_counted_in_whole_parts() {
        assert_eq!(parts(0.045), 45_000);
    }
}
