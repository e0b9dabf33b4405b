//! The receipt in a user's row: by it the request that made the user is recognized when it is sent again.
//!
//! It is a MAC of the request, and behind it the MAC of the code that the request used; a fixed code leaves the second one empty.

/// Characters of either MAC: 128 bits in hexadecimal.
const PART: usize = 32;

/// What a receipt has of a MAC.
pub(super) fn part(mut mac: String) -> String {
    mac.truncate(PART);
    mac
}

/// The part of the request.
pub(crate) fn request(receipt: &str) -> Option<&str> {
    receipt.get(..PART)
}

/// The part of the code.
pub(super) fn code(receipt: &str) -> &str {
    receipt.get(PART..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_has_a_part_of_the_request_and_one_of_the_code() {
        let (mac, other) = ("a".repeat(64), "b".repeat(64));
        let receipt = format!("{}{}", part(mac.clone()), part(other.clone()));
        assert_eq!((request(&receipt), code(&receipt)), (Some(&mac[..32]), &other[..32]));
        assert_eq!((request(&mac[..32]), code(&mac[..32])), (Some(&mac[..32]), ""), "of a fixed code");
        assert_eq!((request(""), code("")), (None, ""), "of a row without one");
    }
}
