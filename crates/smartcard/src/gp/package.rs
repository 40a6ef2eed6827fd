//! A package (CAP file) inside a load file: its name and the names of its modules.
//!
//! Standard: Java Card CAP file, Header component (1) and Applet component (3), one behind the other as GlobalPlatform loads them.
//! Only the names are read: the code behind them is for a virtual machine, which nobody here has.

use super::Aid;

/// A package's name and its modules'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The package: the load file must have this name.
    pub aid: Aid,
    /// The modules that applications can be made from.
    pub modules: Vec<Aid>,
}

const HEADER: u8 = 1;
const APPLET: u8 = 3;
const MAGIC: [u8; 4] = [0xDE, 0xCA, 0xFF, 0xED];
/// Of the format, minor and major; flags "has applets"; version 1.0 of the package.
const FORMAT: [u8; 5] = [1, 2, 0x04, 0, 1];

impl Package {
    /// The two components, for a package without code.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = [&MAGIC[..], &FORMAT, &named(&self.aid)].concat();
        let count = u8::try_from(self.modules.len()).unwrap_or(u8::MAX);
        let modules = self.modules.iter().flat_map(|module| [named(module), vec![0, 0]].concat());
        let applets: Vec<u8> = [count].into_iter().chain(modules).collect();
        [component(HEADER, &header), component(APPLET, &applets)].concat()
    }

    /// From a load file data block; `None` if it has no header or a component is cut short.
    #[must_use]
    pub fn parse(code: &[u8]) -> Option<Self> {
        let (mut aid, mut modules) = (None, Vec::new());
        let mut rest = code;
        while let Some(([tag, high, low], tail)) = rest.split_first_chunk() {
            let (inside, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
            match *tag {
                HEADER if aid.is_none() => aid = Some(read_header(inside)?),
                APPLET if modules.is_empty() => modules = read_applets(inside)?,
                HEADER | APPLET => return None,
                _ => {}
            }
            rest = tail;
        }
        rest.is_empty().then_some(())?;
        Some(Package { aid: aid?, modules })
    }
}

fn named(aid: &Aid) -> Vec<u8> {
    let name = aid.as_bytes();
    [&[u8::try_from(name.len()).unwrap_or(u8::MAX)][..], name].concat()
}

fn component(tag: u8, inside: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(inside.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[tag, high, low][..], inside].concat()
}

fn read_name(bytes: &[u8]) -> Option<(Aid, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((Aid::new(name)?, rest))
}

/// A later format may name the package in words, too.
fn read_header(inside: &[u8]) -> Option<Aid> {
    let rest = inside.strip_prefix(&MAGIC)?;
    read_name(rest.get(FORMAT.len()..)?).map(|(aid, _)| aid)
}

fn read_applets(inside: &[u8]) -> Option<Vec<Aid>> {
    let (count, mut rest) = inside.split_first()?;
    let mut modules = Vec::new();
    for _ in 0..*count {
        let (aid, tail) = read_name(rest)?;
        let (_, tail) = tail.split_first_chunk::<2>()?; // where its install method is
        modules.push(aid);
        rest = tail;
    }
    rest.is_empty().then_some(modules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_names_survive_and_no_cut_or_foreign_magic_is_taken() {
        let package =
            Package { aid: Aid::DOMAIN_PACKAGE, modules: vec![Aid::DOMAIN_MODULE, Aid::ISSUER_DOMAIN] };
        let bytes = package.to_bytes();
        assert!(hex::encode_upper(&bytes).starts_with("010011DECAFFED0102040001"));
        assert_eq!(Package::parse(&bytes), Some(package.clone()));
        let with_code = [&bytes[..], &[7, 0, 2, 0xAA, 0xBB]].concat();
        assert_eq!(Package::parse(&with_code), Some(package));
        let header = bytes.len() - 3 - 1 - 2 * 2 - 2 - 15;
        for cut in (0..bytes.len()).filter(|cut| *cut != header) {
            assert_eq!(Package::parse(&bytes[..cut]), None, "cut to {cut}");
        }
        let mut foreign = bytes.clone();
        foreign[3] ^= 1;
        assert_eq!(Package::parse(&foreign), None);
        assert_eq!(Package::parse(&[&bytes[..], &bytes].concat()), None, "two headers");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = Package::parse(&bytes);
        }
    }
}
