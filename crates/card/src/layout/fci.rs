//! File control information (FCI): what a directory answers when it is selected.
//!
//! Standard: ISO 7816-4 template 6F as PBOC fills it (card.md section 1.1): `84` the name; inside `A5`, for an
//! application, `9F08` its version and `9F0C` issuer data, which on City Union cards begins with file 0015.

use smartcard::tlv;

use super::PublicInfo;

/// An answer to SELECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fci {
    /// The directory's name.
    pub name: Vec<u8>,
    /// Application version, if it is an application.
    pub version: Option<u8>,
    /// Issuer data, if it is an application.
    pub issuer_data: Vec<u8>,
    /// Short id of the directory file, if it is a root.
    pub directory: Option<u8>,
}

impl Fci {
    /// The answer's data.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut inner = Vec::new();
        if let Some(directory) = self.directory {
            tlv::write(&mut inner, 0x88, &[directory]);
        }
        if let Some(version) = self.version {
            tlv::write(&mut inner, 0x9F08, &[version]);
        }
        if !self.issuer_data.is_empty() {
            tlv::write(&mut inner, 0x9F0C, &self.issuer_data);
        }
        let mut outer = tlv::object(0x84, &self.name);
        tlv::write(&mut outer, 0xA5, &inner);
        tlv::object(0x6F, &outer)
    }

    /// From the answer's data. `None` if it is not such a template.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let outer = tlv::find(data, 0x6F)?;
        let inner = tlv::find(outer, 0xA5).unwrap_or_default();
        let byte = |tag| match tlv::find(inner, tag) {
            Some([byte]) => Some(*byte),
            _ => None,
        };
        Some(Fci {
            name: tlv::find(outer, 0x84)?.to_vec(),
            version: byte(0x9F08),
            issuer_data: tlv::find(inner, 0x9F0C).unwrap_or_default().to_vec(),
            directory: byte(0x88),
        })
    }

    /// File 0015, from the front of the issuer data.
    #[must_use]
    pub fn public_info(&self) -> Option<PublicInfo> {
        PublicInfo::parse(self.issuer_data.first_chunk()?)
    }
}
