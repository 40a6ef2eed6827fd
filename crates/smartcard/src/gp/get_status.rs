//! GET STATUS: what is on the card.
//!
//! Standard: GlobalPlatform GET STATUS in its TLV form, `80 F2 P1 02 Lc 4F len aid [5C len tags] 00`, globalplatform.md
//! section 1.5. The answer is a row of `E3{4F, 9F70, ..}` with the tags that were asked for, or the usual ones; `6310` says
//! that more follows, asked for with P2 `03`; `6A88` that there is nothing.

use super::set_status::LifeCycle;
use super::{ALL, Aid, Privileges, expect};
use crate::apdu::{Apdu, Command, Status};
use crate::tlv;

/// Which part of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// The issuer security domain.
    IssuerDomain = 0x80,
    /// Applications and supplementary security domains.
    Applications = 0x40,
    /// Load files.
    LoadFiles = 0x20,
    /// Load files with their modules.
    LoadFilesAndModules = 0x10,
}

/// Asks for a part of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetStatus {
    /// Which part.
    pub scope: Scope,
    /// A name or its beginning; empty for all.
    pub name: Vec<u8>,
    /// The rest of an answer that ended in `6310`.
    pub next: bool,
    /// What is asked for (tag 5C); empty for what a card says by itself: name, state, privileges, modules.
    pub tags: Vec<u32>,
}

/// Name, state, privileges, load file, domain, modules: all that an [`Entry`] has.
const ALL_TAGS: [u32; 6] = [0x4F, 0x9F70, 0xC5, 0xC4, 0xCC, 0x84];
/// Of these what a card says by itself.
const USUAL_TAGS: [u32; 4] = [0x4F, 0x9F70, 0xC5, 0x84];

/// One entry of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub aid: Aid,
    /// Its state.
    pub life_cycle: LifeCycle,
    /// What it may do; load files have none.
    pub privileges: Option<Privileges>,
    /// The load file it was made from.
    pub load_file: Option<Aid>,
    /// The security domain it belongs to.
    pub domain: Option<Aid>,
    /// A load file's modules.
    pub modules: Vec<Aid>,
}

impl GetStatus {
    /// The whole part.
    #[must_use]
    pub const fn all(scope: Scope) -> Self {
        GetStatus { scope, name: Vec::new(), next: false, tags: Vec::new() }
    }

    /// The whole part, with everything that there is to know.
    #[must_use]
    pub fn everything(scope: Scope) -> Self {
        GetStatus { tags: ALL_TAGS.to_vec(), ..GetStatus::all(scope) }
    }

    /// Asks for what follows after `6310`.
    #[must_use]
    pub fn continued(&self) -> Self {
        GetStatus { next: true, ..self.clone() }
    }
}

impl Entry {
    /// An entry with nothing but name, state and privileges.
    #[must_use]
    pub const fn new(aid: Aid, life_cycle: LifeCycle, privileges: Option<Privileges>) -> Self {
        Entry { aid, life_cycle, privileges, load_file: None, domain: None, modules: Vec::new() }
    }

    /// `E3{4F, 9F70, C5, C4, CC, 84..}`, all that is known.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.with_tags(&ALL_TAGS)
    }

    /// `E3{..}` with these tags; none: the usual ones. The name always comes with it.
    #[must_use]
    pub fn with_tags(&self, tags: &[u32]) -> Vec<u8> {
        let tags = if tags.is_empty() { &USUAL_TAGS[..] } else { tags };
        let name = |aid: &Aid| aid.as_bytes().to_vec();
        let mut parts = vec![(0x4F, name(&self.aid)), (0x9F70, vec![self.life_cycle.0])];
        parts.extend(self.privileges.map(|Privileges(privileges)| (0xC5, privileges.to_vec())));
        parts.extend(self.load_file.as_ref().map(|aid| (0xC4, name(aid))));
        parts.extend(self.domain.as_ref().map(|aid| (0xCC, name(aid))));
        parts.extend(self.modules.iter().map(|aid| (0x84, name(aid))));
        let asked = parts.iter().filter(|(tag, _)| *tag == 0x4F || tags.contains(tag));
        let inside: Vec<u8> = asked.flat_map(|(tag, value)| tlv::object(*tag, value)).collect();
        tlv::object(0xE3, &inside)
    }

    /// What stands inside `E3`. Tags that say nothing to us are passed over; a state may be followed by
    /// the contactless availability, as real elements do.
    fn parse(inside: &[u8]) -> Option<Self> {
        let parts = tlv::read_all(inside)?;
        let find = |tag| parts.iter().find(|part| part.tag == tag).map(|part| part.value);
        let name = |tag| find(tag).map_or(Some(None), |value| Aid::new(value).map(Some));
        Some(Entry {
            aid: find(0x4F).and_then(Aid::new)?,
            life_cycle: LifeCycle(*find(0x9F70)?.first()?),
            privileges: find(0xC5).map_or(Some(None), |value| Privileges::parse(value).map(Some))?,
            load_file: name(0xC4)?,
            domain: name(0xCC)?,
            modules: parts
                .iter()
                .filter(|part| part.tag == 0x84)
                .map(|part| Aid::new(part.value))
                .collect::<Option<_>>()?,
        })
    }
}

impl Command for GetStatus {
    type Response = Vec<Entry>;

    fn to_apdu(&self) -> Apdu {
        let p2 = if self.next { 0x03 } else { 0x02 };
        let mut data = tlv::object(0x4F, &self.name);
        if !self.tags.is_empty() {
            tlv::write(&mut data, 0x5C, &tlv::tags(&self.tags));
        }
        Apdu::new([0x80, 0xF2, self.scope as u8, p2], data, ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xF2)?;
        let scope = match apdu.p1 {
            0x80 => Scope::IssuerDomain,
            0x40 => Scope::Applications,
            0x20 => Scope::LoadFiles,
            0x10 => Scope::LoadFilesAndModules,
            _ => return Err(Status::WRONG_P1P2),
        };
        let next = match apdu.p2 {
            0x02 => false,
            0x03 => true,
            _ => return Err(Status::WRONG_P1P2),
        };
        tlv::read_all(&apdu.data).ok_or(Status::WRONG_DATA)?;
        let name = tlv::find(&apdu.data, 0x4F).filter(|name| name.len() <= 16).ok_or(Status::WRONG_DATA)?;
        let tags = tlv::find(&apdu.data, 0x5C).map_or(Some(Vec::new()), tlv::read_tags);
        Ok(GetStatus { scope, name: name.to_vec(), next, tags: tags.ok_or(Status::WRONG_DATA)? })
    }

    /// Also of the data of several answers, one behind the other.
    fn parse_response(data: &[u8]) -> Option<Vec<Entry>> {
        let row = tlv::read_all(data)?;
        row.iter().map(|object| if object.tag == 0xE3 { Entry::parse(object.value) } else { None }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Privilege;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_survives_the_wire() {
        let domain = Privileges::of(&[Privilege::SecurityDomain]);
        let mut entry = Entry::new(Aid::DOMAIN_MODULE, LifeCycle::PERSONALIZED.locked(), Some(domain));
        entry.load_file = Some(Aid::DOMAIN_PACKAGE);
        entry.domain = Some(Aid::ISSUER_DOMAIN);
        let mut file = Entry::new(Aid::DOMAIN_PACKAGE, LifeCycle::LOADED, None);
        file.modules = vec![Aid::DOMAIN_MODULE];
        let bytes = [entry.to_bytes(), file.to_bytes()].concat();
        assert_eq!(GetStatus::parse_response(&bytes), Some(vec![entry, file]));
        assert_eq!(GetStatus::parse_response(&bytes[1..]), None);
        assert_eq!(GetStatus::parse_response(&[]), Some(vec![]));
    }

    #[test]
    fn an_entry_says_what_it_is_asked_for_and_always_its_name() {
        let mut entry = Entry::new(Aid::DOMAIN_MODULE, LifeCycle::SELECTABLE, Some(Privileges::default()));
        entry.domain = Some(Aid::ISSUER_DOMAIN);
        let hex = |tags: &[u32]| hex::encode_upper(entry.with_tags(tags));
        assert_eq!(hex(&[]), "E3134F08A0000001515350419F700107C503000000");
        assert_eq!(hex(&[0xCC]), "E3134F08A000000151535041CC07A0000001510000");
        assert_eq!(hex(&[0x9F70, 0xCE]), "E30E4F08A0000001515350419F700107");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = GetStatus::parse_response(&tlv::object(0xE3, &bytes));
            let _ = GetStatus::parse_response(&bytes);
        }
    }
}
