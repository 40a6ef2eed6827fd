//! JSON that is out of shape (异常 JSON): looked at before it is parsed, so that it costs no more than its bytes.
//!
//! Standard: RFC 8259; section 9 lets a reader set such limits.
//! Invariant: no document that passes is deeper, longer in a word or in a number than any honest one, and none names
//! a member twice, of which readers would take one or the other.

use std::collections::BTreeSet;

use crate::problem::{Code, Problem};

const DEPTH: usize = 16;
const STRING: usize = 4096;
const NUMBER: usize = 24;

/// Checks the shape; whether it is JSON at all, the parser says.
pub(super) fn check(body: &[u8]) -> Result<(), Problem> {
    // For each open object, the names it has; for each open array, none.
    let mut open: Vec<BTreeSet<&[u8]>> = Vec::new();
    let mut rest = body;
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'{' | b'[' => {
                open.push(BTreeSet::new());
                if open.len() > DEPTH {
                    return Err(Code::JsonTooDeep.about(DEPTH));
                }
                after
            }
            b'}' | b']' => {
                open.pop();
                after
            }
            b'"' => {
                let length = string_length(after);
                if length > STRING {
                    return Err(Code::JsonStringTooLong.about(STRING));
                }
                let (text, after) = after.split_at_checked(length).unwrap_or((after, &[]));
                let after = after.split_first().map_or(after, |(_, after)| after);
                let names_a_member = after.trim_ascii_start().first() == Some(&b':');
                if names_a_member && open.last_mut().is_some_and(|names| !names.insert(text)) {
                    return Err(Code::JsonMemberTwice.about(String::from_utf8_lossy(text)));
                }
                after
            }
            b'-' | b'0'..=b'9' => {
                let in_number = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
                let length = rest.iter().take_while(|b| in_number(b)).count();
                if length > NUMBER {
                    return Err(Code::JsonNumberTooLong.about(NUMBER));
                }
                rest.split_at_checked(length).map_or(after, |(_, after)| after)
            }
            _ => after,
        };
    }
    Ok(())
}

/// Bytes to the closing quotation mark, or to the end.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    text.iter()
        .position(|&b| {
            let ends = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            ends
        })
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<Code> {
        check(text.as_bytes()).err().map(|problem| problem.code)
    }

    #[test]
    fn each_limit_is_exact() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!((code(&nested(DEPTH)), code(&nested(DEPTH + 1))), (None, Some(Code::JsonTooDeep)));
        let string = |length| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
        assert_eq!((code(&string(STRING)), code(&string(STRING + 1))), (None, Some(Code::JsonStringTooLong)));
        let number = |length| format!("{{\"a\":{}}}", "9".repeat(length));
        assert_eq!((code(&number(NUMBER)), code(&number(NUMBER + 1))), (None, Some(Code::JsonNumberTooLong)));
    }

    #[test]
    fn a_member_stands_once_in_its_own_object() {
        assert_eq!(code(r#"{"a":1,"b":{"a":2},"c":["a","a",{"a":3},{"a":4}]}"#), None);
        assert_eq!(code(r#"{"a":1,"b":2,"a" : 3}"#), Some(Code::JsonMemberTwice));
        assert_eq!(code(r#"{"b":{"a":1,"a":1}}"#), Some(Code::JsonMemberTwice));
        assert_eq!(code(r#"{"a":"\"}{[:","b":"\\"}"#), None);
    }

    #[test]
    fn what_is_no_json_is_left_to_the_parser() {
        for text in ["", "\"", "\"\\", "}", "]]]]", "{\"a", "-", "\u{0}", "{\"a\":"] {
            assert_eq!(code(text), None, "{text}");
        }
    }
}
