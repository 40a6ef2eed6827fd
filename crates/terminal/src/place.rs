//! Lines and stops: labels in the records that go to the centre, numbers in the records on the card.
//!
//! A label that is a decimal number below 32768 stands for itself; any other has the number 32768 plus its
//! place in the operator's list. 0 is no line and no stop.

use model::Label;
use model::registry::Operator;

const BY_PLACE: u16 = 0x8000;

/// The card's number for a line of this operator.
pub(crate) fn line_number(operator: &Operator, line: &Label) -> u16 {
    number(operator.lines.iter().map(|line| &line.code), line)
}

/// The card's number for a stop of this operator.
pub(crate) fn stop_number(operator: &Operator, stop: &Label) -> u16 {
    number(stops(operator), stop)
}

/// The label of a stop with this number: the operator's own, or else the number in digits.
pub(crate) fn stop_label(operator: &Operator, number: u16) -> Label {
    let own = stops(operator).zip(0_u16..).find(|(code, place)| numbered(code, *place) == number);
    match own {
        Some((code, _)) => code.clone(),
        None if number == 0 => Label::default(),
        None => number.to_string().parse().unwrap_or_default(),
    }
}

fn stops(operator: &Operator) -> impl Iterator<Item = &Label> {
    operator.lines.iter().flat_map(|line| line.stops.iter().map(|stop| &stop.code))
}

fn number<'a>(codes: impl Iterator<Item = &'a Label>, label: &Label) -> u16 {
    let place = codes.zip(0_u16..).find(|(code, _)| *code == label).map(|(_, place)| place);
    digits(label).or(place.map(|place| numbered(label, place))).unwrap_or(0)
}

fn numbered(code: &Label, place: u16) -> u16 {
    digits(code).unwrap_or(place | BY_PLACE)
}

fn digits(label: &Label) -> Option<u16> {
    let text = label.as_str();
    let decimal = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if decimal { text.parse().ok().filter(|number| *number < BY_PLACE) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator() -> Operator {
        toml::from_str(
            r#"
            id = "20000201"
            city = "2000"
            mode = "metro"
            name = { zh = "地铁", en = "Metro" }
            flow = "entry-exit"
            terminals = { first = "200002010001", count = 9 }
            fare = "listed"
            [[lines]]
            code = "2"
            name = { zh = "2", en = "2" }
            stops = [{ code = "0201", name = { zh = "甲", en = "A" } }, { code = "EAST", name = { zh = "乙", en = "B" } }]
            [[lines]]
            code = "MAGLEV"
            name = { zh = "磁浮", en = "Maglev" }
            stops = [{ code = "99999", name = { zh = "丙", en = "C" } }]
            "#,
        )
        .unwrap()
    }

    #[test]
    fn a_stop_keeps_its_label_through_the_cards_two_bytes() {
        let operator = operator();
        for (label, number) in [("0201", 201), ("EAST", 0x8001), ("99999", 0x8002), ("7", 7), ("", 0)] {
            let label: Label = label.parse().unwrap();
            assert_eq!(stop_number(&operator, &label), number);
            assert_eq!(stop_label(&operator, number), label);
        }
        assert_eq!(stop_number(&operator, &"WEST".parse().unwrap()), 0, "not this operator's stop");
        assert_eq!(line_number(&operator, &"MAGLEV".parse().unwrap()), 0x8001);
    }
}
