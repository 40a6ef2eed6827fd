//! INSTALL: announces a load file, makes an application from one, makes it selectable, hands it over, changes what it may do,
//! opens it for its data.
//!
//! Standard: GlobalPlatform INSTALL, `80 E6 P1 00`, globalplatform.md section 1.5: P1 `02` load, `04` install, `08` make
//! selectable, `0C` both, `10` extradition, `20` personalization, `40` registry update. The parts of the data stand behind their
//! lengths; how a card wants the length of the parameters is its [`Lengths`].
//! Invariant: the plain form carries no token and takes none; with one it is a [`super::Tokened`] command.

use super::{ALL, Aid, Privileges, expect, no_receipt};
use crate::apdu::{Apdu, Command, Status};
use crate::tlv;

/// One of the forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Install {
    /// A load file follows in LOAD.
    Load(InstallLoad),
    /// Makes an application, or a security domain.
    Application(InstallApplication),
    /// Makes what is installed selectable.
    MakeSelectable {
        /// The application.
        instance: Aid,
        /// What it may do.
        privileges: Privileges,
    },
    /// Gives an application to another security domain.
    Extradite {
        /// The new owner.
        domain: Aid,
        /// What it gets.
        application: Aid,
    },
    /// The STORE DATA that follow are for this application.
    Personalize {
        /// The application.
        target: Aid,
    },
    /// Changes what an application may do, who owns it, or what the system knows of it: all of it or nothing.
    RegistryUpdate(RegistryUpdate),
}

/// A load file that is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallLoad {
    /// Its name.
    pub load_file: Aid,
    /// Whose it will be; `None`: of the domain that is spoken to.
    pub domain: Option<Aid>,
    /// Hash of its load file data block: empty, SHA-1 or SHA-256.
    pub hash: Vec<u8>,
    /// What the system is told (inside tag EF): `C6` size of the code, `C7` and `C8` memory; empty for nothing.
    pub system: Vec<u8>,
}

/// What an application is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallApplication {
    /// The load file.
    pub load_file: Aid,
    /// The module in it.
    pub module: Aid,
    /// The name the application gets.
    pub instance: Aid,
    /// What it may do.
    pub privileges: Privileges,
    /// What it is told at birth.
    pub parameters: InstallParameters,
    /// Also make it selectable.
    pub selectable: bool,
}

/// What an application and the system are told at birth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallParameters {
    /// For the application (tag C9).
    pub application: Vec<u8>,
    /// For the system (inside tag EF): memory, contactless state; empty for none.
    pub system: Vec<u8>,
}

/// A change of an application's entry in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryUpdate {
    /// The new owner; `None`: it stays.
    pub domain: Option<Aid>,
    /// The application.
    pub application: Aid,
    /// What it may do from now on; `None`: as before.
    pub privileges: Option<Privileges>,
    /// On which interfaces it is selected without being named (tag CF inside EF); `None`: as before.
    pub implicit_selection: Option<u8>,
}

impl RegistryUpdate {
    /// Bit of the implicit selection: the contactless interface, on the basic channel.
    pub const CONTACTLESS: u8 = 0x80;
}

/// How the length of the parameters is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lengths {
    /// As all lengths: one byte up to 127, then `81` or `82` in front.
    #[default]
    Ber,
    /// Always one byte: older cards.
    OneByte,
}

/// Tag of what the system is told.
const SYSTEM: u32 = 0xEF;
const IMPLICIT_SELECTION: u32 = 0xCF;
const RESTRICT: u32 = 0xD9;

impl InstallParameters {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = tlv::object(0xC9, &self.application);
        bytes.extend(system(&self.system));
        bytes
    }

    /// C9 is mandatory; tags that say nothing to us are passed over.
    fn parse(bytes: &[u8]) -> Option<Self> {
        tlv::read_all(bytes)?;
        let application = tlv::find(bytes, 0xC9)?.to_vec();
        Some(InstallParameters { application, system: tlv::find(bytes, SYSTEM).unwrap_or_default().to_vec() })
    }
}

/// `EF{..}`, or nothing.
fn system(inside: &[u8]) -> Vec<u8> {
    if inside.is_empty() { Vec::new() } else { tlv::object(SYSTEM, inside) }
}

impl RegistryUpdate {
    fn parse(domain: &[u8], application: &[u8], privileges: &[u8], parameters: &[u8]) -> Option<Self> {
        tlv::read_all(parameters)?;
        let inside = tlv::find(parameters, SYSTEM).unwrap_or_default();
        let parts = tlv::read_all(inside)?;
        // What a card cannot do it does not half do: restrictions are none of ours.
        if parts.iter().any(|part| part.tag == RESTRICT && part.value != [0]) {
            return None;
        }
        let implicit_selection = match parts.iter().find(|part| part.tag == IMPLICIT_SELECTION) {
            Some(part) => Some(*<&[u8; 1]>::try_from(part.value).ok()?.first()?),
            None => None,
        };
        Some(RegistryUpdate {
            domain: optional(domain)?,
            application: Aid::new(application)?,
            privileges: if privileges.is_empty() { None } else { Some(Privileges::parse(privileges)?) },
            implicit_selection,
        })
    }
}

/// A name or nothing.
#[allow(clippy::option_option)] // the outer one says whether it could be read
fn optional(name: &[u8]) -> Option<Option<Aid>> {
    if name.is_empty() { Some(None) } else { Aid::new(name).map(Some) }
}

impl Install {
    const fn p1(&self) -> u8 {
        match self {
            Install::Load(_) => 0x02,
            Install::Application(InstallApplication { selectable: false, .. }) => 0x04,
            Install::Application(InstallApplication { selectable: true, .. }) => 0x0C,
            Install::MakeSelectable { .. } => 0x08,
            Install::Extradite { .. } => 0x10,
            Install::Personalize { .. } => 0x20,
            Install::RegistryUpdate(_) => 0x40,
        }
    }

    /// All parts but the token, in order; the parameters are the last.
    fn parts(&self) -> Vec<Vec<u8>> {
        let none = Vec::new;
        let name = |aid: &Aid| aid.as_bytes().to_vec();
        let maybe = |aid: &Option<Aid>| aid.as_ref().map(name).unwrap_or_default();
        match self {
            Install::Load(load) => {
                vec![name(&load.load_file), maybe(&load.domain), load.hash.clone(), system(&load.system)]
            }
            Install::Application(made) => vec![
                name(&made.load_file),
                name(&made.module),
                name(&made.instance),
                made.privileges.to_bytes(),
                made.parameters.to_bytes(),
            ],
            Install::MakeSelectable { instance, privileges } => {
                vec![none(), none(), name(instance), privileges.to_bytes(), none()]
            }
            Install::Extradite { domain, application } => {
                vec![name(domain), none(), name(application), none(), none()]
            }
            Install::Personalize { target } => vec![none(), none(), name(target), none(), none()],
            Install::RegistryUpdate(update) => {
                let implicit = update.implicit_selection.map(|byte| tlv::object(IMPLICIT_SELECTION, &[byte]));
                let privileges = update.privileges.map(Privileges::to_bytes).unwrap_or_default();
                let parameters = system(&implicit.unwrap_or_default());
                vec![maybe(&update.domain), none(), name(&update.application), privileges, parameters]
            }
        }
    }

    fn from_parts(p1: u8, parts: &[&[u8]]) -> Option<Self> {
        Some(match (p1, parts) {
            (0x02, [load_file, domain, hash, parameters, []]) => {
                tlv::read_all(parameters)?;
                let system = tlv::find(parameters, SYSTEM).unwrap_or_default().to_vec();
                let (load_file, domain) = (Aid::new(load_file)?, optional(domain)?);
                Install::Load(InstallLoad { load_file, domain, hash: hash.to_vec(), system })
            }
            (0x04 | 0x0C, [load_file, module, instance, privileges, parameters, []]) => {
                Install::Application(InstallApplication {
                    load_file: Aid::new(load_file)?,
                    module: Aid::new(module)?,
                    instance: Aid::new(instance)?,
                    privileges: Privileges::parse(privileges)?,
                    parameters: InstallParameters::parse(parameters)?,
                    selectable: p1 == 0x0C,
                })
            }
            (0x08, [[], [], instance, privileges, _, []]) => Install::MakeSelectable {
                instance: Aid::new(instance)?,
                privileges: Privileges::parse(privileges)?,
            },
            (0x10, [domain, [], application, [], _, []]) => {
                Install::Extradite { domain: Aid::new(domain)?, application: Aid::new(application)? }
            }
            (0x20, [[], [], target, [], [], []]) => Install::Personalize { target: Aid::new(target)? },
            (0x40, [domain, [], application, privileges, parameters, []]) => {
                Install::RegistryUpdate(RegistryUpdate::parse(domain, application, privileges, parameters)?)
            }
            _ => return None,
        })
    }

    /// The command for a card that wants its lengths so. Parameters too long for one byte make the command too long, too.
    #[must_use]
    pub fn to_apdu_with(&self, lengths: Lengths) -> Apdu {
        let parts = self.parts();
        let mut data = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let one_byte = lengths == Lengths::OneByte && at.saturating_add(1) == parts.len();
            match u8::try_from(part.len()) {
                Ok(length) if one_byte => data.extend([&[length][..], part].concat()),
                _ => tlv::write_lv(&mut data, part),
            }
        }
        data.push(0); // no token
        Apdu::new([0x80, 0xE6, self.p1(), 0x00], data, ALL)
    }

    /// As [`Command::from_apdu`], on a card that wants its lengths so.
    ///
    /// # Errors
    /// `6A86` for a form that there is not, `6A80` for parts that do not fit it, or a token.
    pub fn from_apdu_with(apdu: &Apdu, lengths: Lengths) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xE6)?;
        if !matches!((apdu.p1, apdu.p2), (0x02 | 0x04 | 0x08 | 0x0C | 0x10 | 0x20 | 0x40, 0)) {
            return Err(Status::WRONG_P1P2);
        }
        let parts = read_parts(&apdu.data, if apdu.p1 == 0x02 { 5 } else { 6 }, lengths);
        parts.and_then(|parts| Install::from_parts(apdu.p1, &parts)).ok_or(Status::WRONG_DATA)
    }
}

impl Command for Install {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        self.to_apdu_with(Lengths::Ber)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        Install::from_apdu_with(apdu, Lengths::Ber)
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        no_receipt(data)
    }
}

fn read_parts(data: &[u8], count: usize, lengths: Lengths) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    let mut rest = data;
    for at in 0..count {
        let part;
        let parameters = at.saturating_add(2) == count;
        (part, rest) = if lengths == Lengths::OneByte && parameters {
            let (length, tail) = rest.split_first()?;
            tail.split_at_checked(usize::from(*length))?
        } else {
            tlv::read_lv(rest)?
        };
        parts.push(part);
    }
    rest.is_empty().then_some(parts)
}

/// The data before the token's length, and the token. A token of 128 bytes may state its length in one byte.
pub(super) fn without_token(p1: u8, data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = data;
    for _ in 0..if p1 == 0x02 { 4 } else { 5 } {
        (_, rest) = tlv::read_lv(rest)?;
    }
    let head = data.get(..data.len().checked_sub(rest.len())?)?;
    let token = match rest.split_first()? {
        (0x80, token) if token.len() == 128 => token,
        _ => {
            let (token, []) = tlv::read_lv(rest)? else { return None };
            token
        }
    };
    Some((head, token))
}

#[cfg(test)]
mod tests {
    use super::super::Privilege;
    use super::*;
    use proptest::prelude::*;

    fn application() -> InstallApplication {
        InstallApplication {
            load_file: Aid::DOMAIN_PACKAGE,
            module: Aid::DOMAIN_MODULE,
            instance: Aid::CONTACTLESS_REGISTRY,
            privileges: Privileges::of(&[Privilege::SecurityDomain, Privilege::AuthorizedManagement]),
            parameters: InstallParameters { application: vec![1; 130], system: vec![0xC8, 2, 0x10, 0] },
            selectable: true,
        }
    }

    #[test]
    fn each_form_survives_the_wire_whatever_the_lengths() {
        let made = application();
        let update = RegistryUpdate {
            domain: Some(Aid::ISSUER_DOMAIN),
            application: Aid::DOMAIN_MODULE,
            privileges: Some(Privileges::of(&[Privilege::ContactlessSelfActivation])),
            implicit_selection: Some(RegistryUpdate::CONTACTLESS),
        };
        let load = InstallLoad {
            load_file: Aid::DOMAIN_PACKAGE,
            domain: Some(Aid::ISSUER_DOMAIN),
            hash: vec![7; 20],
            system: vec![0xC6, 2, 0x10, 0],
        };
        let forms = [
            Install::Load(InstallLoad { domain: None, hash: vec![], system: vec![], ..load.clone() }),
            Install::Load(load),
            Install::Application(InstallApplication { selectable: false, ..made.clone() }),
            Install::Application(made),
            Install::MakeSelectable { instance: Aid::DOMAIN_MODULE, privileges: Privileges::default() },
            Install::Extradite { domain: Aid::ISSUER_DOMAIN, application: Aid::DOMAIN_MODULE },
            Install::Personalize { target: Aid::DOMAIN_MODULE },
            Install::RegistryUpdate(RegistryUpdate {
                domain: None,
                privileges: None,
                implicit_selection: None,
                ..update
            }),
            Install::RegistryUpdate(update),
        ];
        for form in forms {
            for lengths in [Lengths::Ber, Lengths::OneByte] {
                let apdu = Apdu::parse(&form.to_apdu_with(lengths).to_bytes()).unwrap();
                assert_eq!(Install::from_apdu_with(&apdu, lengths), Ok(form.clone()));
            }
        }
    }

    #[test]
    fn long_parameters_are_not_understood_by_who_counts_their_length_otherwise() {
        let form = Install::Application(application());
        let (ber, one_byte) = (form.to_apdu(), form.to_apdu_with(Lengths::OneByte));
        assert_eq!(ber.data.len(), one_byte.data.len() + 1, "81 in front");
        assert_eq!(Install::from_apdu_with(&ber, Lengths::OneByte), Err(Status::WRONG_DATA));
        assert_eq!(Install::from_apdu(&one_byte), Err(Status::WRONG_DATA));
    }

    #[test]
    fn a_token_or_a_missing_part_is_refused() {
        let apdu = Install::Personalize { target: Aid::DOMAIN_MODULE }.to_apdu();
        let mut short = apdu.clone();
        short.data.pop();
        assert_eq!(Install::from_apdu(&short), Err(Status::WRONG_DATA));
        let mut token = short;
        token.data.extend([1, 0xAA]);
        assert_eq!(Install::from_apdu(&token), Err(Status::WRONG_DATA));
        assert_eq!(Install::from_apdu(&Apdu { p1: 0x02, ..apdu.clone() }), Err(Status::WRONG_DATA));
        assert_eq!(Install::from_apdu(&Apdu { p1: 0x0E, ..apdu }), Err(Status::WRONG_P1P2));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(p1: u8, data: Vec<u8>) {
            let apdu = Apdu::new([0x80, 0xE6, p1, 0], data, None);
            let _ = Install::from_apdu(&apdu);
            let _ = Install::from_apdu_with(&apdu, Lengths::OneByte);
            let _ = without_token(p1, &apdu.data);
        }
    }
}
