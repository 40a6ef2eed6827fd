//! What each fuzz target does with its bytes: one function a parser, so that they can be run without libFuzzer too.
//!
//! Every target asserts more than "no panic": what was read is written and read again to the same, and whoever has no
//! keys changes no card.

mod card_side;
mod element;
mod files;
mod protocol;

pub use card_side::{card_commands, layout, memories, personalisation, psam, purse};
pub use element::element;
pub use files::{batch, cux, parquet, registry, vault};
pub use protocol::{apdu, dgi, gp, key_block, scp, seram, tlv, vpcd};

use smartcard::{Apdu, Command};

/// The input cut into pieces, each behind one length byte; the last may be short.
pub(crate) fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first()?;
        let (piece, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        data = rest;
        Some(piece)
    })
}

/// A command from any bytes: what is understood is written, and understood again as the same.
pub(crate) fn understood<C: Command + PartialEq>(apdu: &Apdu) {
    if let Ok(command) = C::from_apdu(apdu) {
        let again = Apdu::parse(&command.to_apdu().to_bytes()).ok().and_then(|apdu| C::from_apdu(&apdu).ok());
        assert!(again.is_some_and(|again| again == command), "written and read again it is another command");
    }
    let _ = C::parse_response(&apdu.data);
}

#[cfg(test)]
mod tests {
    use keys::Seeded;
    use model::Entropy;

    /// Each target on random bytes of growing length: what `cargo test` can find in a second.
    #[test]
    fn no_target_panics_on_random_bytes() {
        type Target = (&'static str, fn(&[u8]));
        let targets: [Target; 20] = [
            ("apdu", super::apdu),
            ("tlv", super::tlv),
            ("dgi", super::dgi),
            ("gp", super::gp),
            ("scp", super::scp),
            ("key_block", super::key_block),
            ("element", super::element),
            ("card_commands", super::card_commands),
            ("purse", super::purse),
            ("personalisation", super::personalisation),
            ("layout", super::layout),
            ("psam", super::psam),
            ("memories", super::memories),
            ("vault", super::vault),
            ("batch", super::batch),
            ("vpcd", super::vpcd),
            ("seram", super::seram),
            ("cux", super::cux),
            ("parquet", super::parquet),
            ("registry", super::registry),
        ];
        for (name, target) in targets {
            let mut random = Seeded::new(1).fork(name);
            for length in (0..300).chain([1000, 4000]) {
                let mut data = vec![0; length];
                random.fill(&mut data);
                target(&data);
            }
        }
    }
}
