//! Personalisation (个人化): how a blank applet becomes a passenger's card.
//!
//! Standard: GlobalPlatform STORE DATA in DGI form (globalplatform.md section 1.5): 2-byte id, length, value; a
//! DGI may run over several blocks. The ids are this project's own:
//!
//! | DGI | length | value |
//! | --- | --- | --- |
//! | D005 | 40 | file 0005 |
//! | D015 | 30 | file 0015 |
//! | D016 | 92 | file 0016 |
//! | D0CA | 9 | security authentication id |
//! | D020 | 2 to 6 | PIN |
//! | D0F0 | 7 | profile: application version 1, flags 1, PIN tries 1, purse limit 4. Flags: bit 1 MAC1 includes the authentication id, bit 2 PIN before load, bit 3 an amount 0 counts |
//! | D0E0 | 22 | one key, repeated for each: usage 1, version 1, algorithm 1, the key under the session's S-DEK 16, check value 3 |
//!
//! Invariant: the card takes all of it at the last block, or nothing.

use keys::WrappedCardKey;
use model::PurseFen;

use crate::command::Pin;
use crate::fields::Fields;
use crate::layout::{Holder, IssueInfo, PublicInfo};
use crate::purse::Profile;

const ISSUE_INFO: u16 = 0xD005;
const PUBLIC_INFO: u16 = 0xD015;
const HOLDER: u16 = 0xD016;
const AUTH_ID: u16 = 0xD0CA;
const PIN: u16 = 0xD020;
const PROFILE: u16 = 0xD0F0;
const KEY: u16 = 0xD0E0;

/// Plain bytes that a STORE DATA may carry: with padding, encipherment and MAC it is still a short APDU.
pub const BLOCK: usize = 224;
/// More than any personalisation needs: where the card stops listening.
pub(crate) const STREAM_MAX: usize = 2048;

/// What a card is told at issue, but for its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personalisation {
    /// File 0015.
    pub public_info: PublicInfo,
    /// File 0016.
    pub holder: Holder,
    /// File 0005.
    pub issue_info: IssueInfo,
    /// Security authentication id (安全认证识别码).
    pub auth_id: [u8; 9],
    /// PIN.
    pub pin: Pin,
    /// What this card does where cities differ.
    pub profile: Profile,
}

/// What the card reads: the same, with its keys.
pub(crate) struct Received {
    pub(crate) personalisation: Personalisation,
    pub(crate) keys: Vec<WrappedCardKey>,
}

impl Personalisation {
    /// The blocks to send in STORE DATA, in order, inside the secure channel whose keys wrapped `keys`.
    #[must_use]
    pub fn store_data(&self, keys: &[WrappedCardKey]) -> Vec<Vec<u8>> {
        self.store_data_in(keys, BLOCK)
    }

    /// The same in blocks of at most `most` plain bytes, for phones that pass less than a whole command; a group that is
    /// longer by itself stands alone.
    #[must_use]
    pub fn store_data_in(&self, keys: &[WrappedCardKey], most: usize) -> Vec<Vec<u8>> {
        let mut groups = vec![
            group(ISSUE_INFO, self.issue_info.to_bytes()),
            group(PUBLIC_INFO, self.public_info.to_bytes()),
            group(HOLDER, self.holder.to_bytes()),
            group(AUTH_ID, self.auth_id),
            group(PIN, self.pin.bytes().iter().copied()),
            group(PROFILE, profile_bytes(&self.profile)),
        ];
        groups.extend(keys.iter().map(|key| group(KEY, key_bytes(key))));
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        for group in groups {
            match blocks.last_mut() {
                Some(block) if block.len().saturating_add(group.len()) <= most => block.extend(group),
                _ => blocks.push(group),
            }
        }
        blocks
    }

    /// Reads all blocks together. `None` if a group is unknown, missing, doubled or of the wrong length.
    pub(crate) fn parse(stream: &[u8]) -> Option<Received> {
        let mut draft = Draft::default();
        let mut fields = Fields::new(stream);
        while !fields.is_empty() {
            let id = u16::from_be_bytes(fields.take()?);
            let length = match fields.byte()? {
                0xFF => usize::from(u16::from_be_bytes(fields.take()?)),
                short => usize::from(short),
            };
            draft.put(id, fields.slice(length)?)?;
        }
        draft.finish()
    }
}

#[derive(Default)]
struct Draft {
    public_info: Option<PublicInfo>,
    holder: Option<Holder>,
    issue_info: Option<IssueInfo>,
    auth_id: Option<[u8; 9]>,
    pin: Option<Pin>,
    profile: Option<Profile>,
    keys: Vec<WrappedCardKey>,
}

impl Draft {
    fn put(&mut self, id: u16, value: &[u8]) -> Option<()> {
        match id {
            ISSUE_INFO => once(&mut self.issue_info, IssueInfo::parse(value.try_into().ok()?)),
            PUBLIC_INFO => once(&mut self.public_info, PublicInfo::parse(value.try_into().ok()?)),
            HOLDER => once(&mut self.holder, Holder::parse(value.try_into().ok()?)),
            AUTH_ID => once(&mut self.auth_id, value.try_into().ok()),
            PIN => once(&mut self.pin, Pin::new(value)),
            PROFILE => once(&mut self.profile, parse_profile(value)),
            KEY => {
                self.keys.push(parse_key(value)?);
                Some(())
            }
            _ => None,
        }
    }

    fn finish(self) -> Option<Received> {
        let personalisation = Personalisation {
            public_info: self.public_info?,
            holder: self.holder?,
            issue_info: self.issue_info?,
            auth_id: self.auth_id?,
            pin: self.pin?,
            profile: self.profile?,
        };
        Some(Received { personalisation, keys: self.keys })
    }
}

fn once<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    if place.is_some() {
        return None;
    }
    *place = Some(value?);
    Some(())
}

fn group(id: u16, value: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let value: Vec<u8> = value.into_iter().collect();
    let mut bytes = id.to_be_bytes().to_vec();
    // Every group of ours is shorter than FF, where a three-byte length would begin.
    bytes.push(u8::try_from(value.len()).unwrap_or(0xFE));
    bytes.extend(value);
    bytes
}

fn profile_bytes(profile: &Profile) -> Vec<u8> {
    let flags = [profile.mac1_includes_auth_id, profile.pin_before_load, profile.zero_amount_counts];
    let flags = flags.into_iter().rev().fold(0_u8, |bits, flag| bits << 1 | u8::from(flag));
    let mut bytes = vec![profile.version, flags, profile.pin_tries];
    bytes.extend(profile.purse_limit.to_be_bytes());
    bytes
}

fn parse_profile(value: &[u8]) -> Option<Profile> {
    let mut fields = Fields::new(value);
    let (version, flags, pin_tries) = (fields.byte()?, fields.byte()?, fields.byte()?);
    let purse_limit = PurseFen::from_be_bytes(fields.take()?)?;
    if flags > 7 || !(1..=15).contains(&pin_tries) {
        return None;
    }
    fields.end(Profile {
        version,
        purse_limit,
        mac1_includes_auth_id: flags & 1 != 0,
        pin_before_load: flags & 2 != 0,
        zero_amount_counts: flags & 4 != 0,
        pin_tries,
    })
}

fn key_bytes(key: &WrappedCardKey) -> Vec<u8> {
    let mut bytes = vec![key.usage.code(), key.version, key.algorithm];
    bytes.extend(key.cipher);
    bytes.extend(key.kcv);
    bytes
}

fn parse_key(value: &[u8]) -> Option<WrappedCardKey> {
    let mut fields = Fields::new(value);
    let key = WrappedCardKey {
        usage: keys::KeyUsage::from_code(fields.byte()?)?,
        version: fields.byte()?,
        algorithm: fields.byte()?,
        cipher: fields.take()?,
        kcv: fields.take()?,
    };
    fields.end(key)
}
