//! INSTALL: makes an application from a load file, makes it selectable, hands it over, opens it for its data.
//!
//! Standard: GlobalPlatform INSTALL, `80 E6 P1 00`, globalplatform.md section 1.5: P1 `04` install, `08` make selectable,
//! `0C` both, `10` extradition, `20` personalization. The parts of the data stand behind their lengths.
//! Invariant: no token is sent or accepted: who manages here holds the keys (issuer or authorized management).

use super::{ALL, Aid, Privileges, expect, no_receipt};
use crate::apdu::{Apdu, Command, Status};
use crate::tlv;

/// One of the forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Install {
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

impl InstallParameters {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = tlv::object(0xC9, &self.application);
        if !self.system.is_empty() {
            tlv::write(&mut bytes, 0xEF, &self.system);
        }
        bytes
    }

    /// C9 is mandatory; tags that say nothing to us are passed over.
    fn parse(bytes: &[u8]) -> Option<Self> {
        tlv::read_all(bytes)?;
        let application = tlv::find(bytes, 0xC9)?.to_vec();
        Some(InstallParameters { application, system: tlv::find(bytes, 0xEF).unwrap_or_default().to_vec() })
    }
}

impl Install {
    const fn p1(&self) -> u8 {
        match self {
            Install::Application(InstallApplication { selectable: false, .. }) => 0x04,
            Install::Application(InstallApplication { selectable: true, .. }) => 0x0C,
            Install::MakeSelectable { .. } => 0x08,
            Install::Extradite { .. } => 0x10,
            Install::Personalize { .. } => 0x20,
        }
    }

    /// The six parts: load file or domain, module, application, privileges, parameters, token.
    fn parts(&self) -> [Vec<u8>; 6] {
        let none = Vec::new;
        let name = |aid: &Aid| aid.as_bytes().to_vec();
        match self {
            Install::Application(made) => [
                name(&made.load_file),
                name(&made.module),
                name(&made.instance),
                made.privileges.to_bytes(),
                made.parameters.to_bytes(),
                none(),
            ],
            Install::MakeSelectable { instance, privileges } => {
                [none(), none(), name(instance), privileges.to_bytes(), none(), none()]
            }
            Install::Extradite { domain, application } => {
                [name(domain), none(), name(application), none(), none(), none()]
            }
            Install::Personalize { target } => [none(), none(), name(target), none(), none(), none()],
        }
    }

    fn from_parts(p1: u8, parts: [&[u8]; 6]) -> Option<Self> {
        match (p1, parts) {
            (0x04 | 0x0C, [load_file, module, instance, privileges, parameters, []]) => {
                Some(Install::Application(InstallApplication {
                    load_file: Aid::new(load_file)?,
                    module: Aid::new(module)?,
                    instance: Aid::new(instance)?,
                    privileges: Privileges::parse(privileges)?,
                    parameters: InstallParameters::parse(parameters)?,
                    selectable: p1 == 0x0C,
                }))
            }
            (0x08, [[], [], instance, privileges, _, []]) => Some(Install::MakeSelectable {
                instance: Aid::new(instance)?,
                privileges: Privileges::parse(privileges)?,
            }),
            (0x10, [domain, [], application, [], _, []]) => {
                Some(Install::Extradite { domain: Aid::new(domain)?, application: Aid::new(application)? })
            }
            (0x20, [[], [], target, [], [], []]) => Some(Install::Personalize { target: Aid::new(target)? }),
            _ => None,
        }
    }
}

impl Command for Install {
    type Response = ();

    fn to_apdu(&self) -> Apdu {
        let mut data = Vec::new();
        self.parts().iter().for_each(|part| tlv::write_lv(&mut data, part));
        Apdu::new([0x80, 0xE6, self.p1(), 0x00], data, ALL)
    }

    fn from_apdu(apdu: &Apdu) -> Result<Self, Status> {
        expect(apdu, 0x80, 0xE6)?;
        if !matches!((apdu.p1, apdu.p2), (0x04 | 0x08 | 0x0C | 0x10 | 0x20, 0)) {
            return Err(Status::WRONG_P1P2);
        }
        read_parts(&apdu.data).and_then(|parts| Install::from_parts(apdu.p1, parts)).ok_or(Status::WRONG_DATA)
    }

    fn parse_response(data: &[u8]) -> Option<()> {
        no_receipt(data)
    }
}

fn read_parts(data: &[u8]) -> Option<[&[u8]; 6]> {
    let mut parts = [&[][..]; 6];
    let mut rest = data;
    for part in &mut parts {
        (*part, rest) = tlv::read_lv(rest)?;
    }
    rest.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::super::Privilege;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_form_survives_the_wire() {
        let made = InstallApplication {
            load_file: Aid::DOMAIN_PACKAGE,
            module: Aid::DOMAIN_MODULE,
            instance: Aid::CONTACTLESS_REGISTRY,
            privileges: Privileges::of(&[Privilege::SecurityDomain, Privilege::AuthorizedManagement]),
            parameters: InstallParameters { application: vec![1; 130], system: vec![0xC8, 2, 0x10, 0] },
            selectable: true,
        };
        let forms = [
            Install::Application(InstallApplication { selectable: false, ..made.clone() }),
            Install::Application(made),
            Install::MakeSelectable { instance: Aid::DOMAIN_MODULE, privileges: Privileges::default() },
            Install::Extradite { domain: Aid::ISSUER_DOMAIN, application: Aid::DOMAIN_MODULE },
            Install::Personalize { target: Aid::DOMAIN_MODULE },
        ];
        for form in forms {
            let apdu = Apdu::parse(&form.to_apdu().to_bytes()).unwrap();
            assert_eq!(Install::from_apdu(&apdu), Ok(form));
        }
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
        assert_eq!(Install::from_apdu(&Apdu { p1: 0x02, ..apdu }), Err(Status::WRONG_P1P2));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(p1: u8, data: Vec<u8>) {
            let _ = Install::from_apdu(&Apdu::new([0x80, 0xE6, p1, 0], data, None));
        }
    }
}
