//! File 0016: the cardholder (持卡人基本信息), 92 bytes.
//!
//! Standard: CJ/T 166 in the Changsha form (card.md section 5.4); other cities end after 55 bytes.
//! Invariant: neither name nor document number is printed.

use std::fmt;

use crate::fields::Fields;

/// File 0016. A card without a name has [`Holder::ANONYMOUS`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Person or company.
    pub kind: HolderKind,
    /// The issuer's own staff.
    pub staff: bool,
    /// Name, GB 2312, filled up with zeros.
    pub name: [u8; 20],
    /// Document number, ASCII, filled up with zeros.
    pub document: [u8; 32],
    /// `00` identity card, `01` officer, `02` passport, `03` entry permit, `04` temporary identity card.
    pub document_kind: u8,
    /// `00` female, `01` male.
    pub sex: u8,
    /// The last 36 bytes.
    pub reserved: [u8; 36],
}

/// Who holds the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderKind {
    /// `00`.
    Person,
    /// `01`.
    Company,
}

impl Holder {
    /// Length of the file.
    pub const LENGTH: usize = 92;

    /// Nobody in particular.
    pub const ANONYMOUS: Holder = Holder {
        kind: HolderKind::Person,
        staff: false,
        name: [0; 20],
        document: [0; 32],
        document_kind: 0,
        sex: 0,
        reserved: [0; 36],
    };

    /// From the file. `None` if the holder is neither a person nor a company.
    #[must_use]
    pub fn parse(file: &[u8; Self::LENGTH]) -> Option<Self> {
        let mut fields = Fields::new(file);
        let kind = match fields.byte()? {
            0 => HolderKind::Person,
            1 => HolderKind::Company,
            _ => return None,
        };
        let staff = match fields.byte()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let holder = Holder {
            kind,
            staff,
            name: fields.take()?,
            document: fields.take()?,
            document_kind: fields.byte()?,
            sex: fields.byte()?,
            reserved: fields.take()?,
        };
        fields.end(holder)
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let kind = match self.kind {
            HolderKind::Person => 0,
            HolderKind::Company => 1,
        };
        let fields = [kind, u8::from(self.staff)].into_iter().chain(self.name).chain(self.document);
        let fields = fields.chain([self.document_kind, self.sex]).chain(self.reserved);
        let mut file = [0; Self::LENGTH];
        file.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        file
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holder({:?}, masked)", self.kind)
    }
}
