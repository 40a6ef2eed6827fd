//! Whatever the moment at which the process is killed, the chip is before or after a command, and no value is lost
//! or made.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod support;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use card::command::{
    CreditForLoad, DebitForPurchase, GetBalance, InitializeForLoad, InitializeForPurchase, PurchaseKind,
};
use keys::{KeyService, LoadRequest, PsamScope, Purchase, Seeded, SoftwareKeys, demo_element_keys};
use model::{CardTime, Entropy, TerminalId};
use secure_element::{FileStore, MemoryStore, SoftwareElement, Store};
use smartcard::gp::{Aid, Install, Privilege};
use smartcard::{Channel, ChannelError, Command, Response};
use support::{Host, SERIAL, blocks, card_ref, facts, fen, instance, put_keys};

const TERMINAL: TerminalId = TerminalId::new([0, 0, 0, 0, 0, 1]);
const LOADED: u32 = 5000;
const FARE: u32 = 200;

/// How the process dies at a save.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Death {
    /// So many bytes of the new memory are written beside the old one.
    Torn(usize),
    /// The new memory is there, but the answer never leaves.
    Done,
}

/// A file that a process dies over, at the save of the given number.
struct Mortal {
    file: FileStore,
    path: PathBuf,
    left: usize,
    death: Death,
    /// Every memory that was saved.
    saved: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Store for Mortal {
    fn load(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.left == 0 { Err(io::Error::other("dead")) } else { self.file.load() }
    }

    fn save(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            self.saved.lock().unwrap().push(bytes.to_vec());
            return self.file.save(bytes);
        }
        match self.death {
            Death::Done => self.file.save(bytes)?,
            Death::Torn(length) => {
                let beside = self.path.with_extension("state.new");
                fs::write(beside, &bytes[..length.min(bytes.len())])?;
            }
        }
        Err(io::Error::other("killed"))
    }
}

fn balance(chip: SoftwareElement) -> Option<u32> {
    let mut host = Host::new(chip, &facts("oppo-find7"));
    host.select(instance(2000));
    let answer = host.send(&GetBalance.to_apdu());
    GetBalance::parse_response(&answer.data).map(|balance| balance.get())
}

fn reopened(path: &Path) -> Option<SoftwareElement> {
    SoftwareElement::open(Box::new(FileStore::new(path)), Box::new(Seeded::new(9))).unwrap()
}

/// Stands before a chip that may die: from then on nothing is answered.
struct Guard {
    chip: SoftwareElement,
    dead: bool,
}

impl Channel for Guard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if self.dead {
            return Ok(vec![0x6F, 0x00]);
        }
        self.chip.transmit(command).or_else(|error| {
            assert!(matches!(error, ChannelError::Lost(_)), "{error}");
            self.dead = true;
            Ok(vec![0x6F, 0x00])
        })
    }
}

/// Domain, keys, purse, personalisation, activation, load, tap. Stops at the first answer that is not `9000`.
fn life(host: &mut Host<Guard>) -> Option<()> {
    let ok = |answer: Response| answer.status.is_ok().then_some(answer.data);
    let service = SoftwareKeys::demo();
    let mut session = begin(host, [].as_slice())?;
    let rights = [Privilege::SecurityDomain, Privilege::AuthorizedManagement];
    let domain = session.wrap(&host.domain(&rights).to_apdu());
    ok(host.send(&domain))?;
    let mut session = begin(host, support::DOMAIN.as_bytes())?;
    let keys = session.wrap(&put_keys(&session, 0).to_apdu());
    ok(host.send(&keys))?;
    let purse = session.wrap(&Install::Application(host.purse(instance(2000))).to_apdu());
    ok(host.send(&purse))?;
    let open = session.wrap(&Install::Personalize { target: instance(2000) }.to_apdu());
    ok(host.send(&open))?;
    for block in blocks(&session, 2000) {
        let block = session.wrap(&block.to_apdu());
        ok(host.send(&block))?;
    }
    ok(host.select(Aid::CONTACTLESS_REGISTRY))?;
    ok(host.activate(2000, true))?;
    ok(host.select(card::layout::PURSE_AID))?;

    let (card, at): (_, CardTime) = (card_ref(2000), "2014-10-20 08:00:00".parse().unwrap());
    let load = InitializeForLoad { key_index: 1, amount: fen(LOADED), terminal: TERMINAL };
    let offer = InitializeForLoad::parse_response(&ok(host.send(&load.to_apdu()))?)?;
    let request = LoadRequest { amount: fen(LOADED), terminal: TERMINAL, at };
    let mac2 = service.authorize_load(&card, &offer, &request).unwrap();
    ok(host.send(&CreditForLoad { at, mac2 }.to_apdu()))?;

    let purchase = InitializeForPurchase {
        kind: PurchaseKind::Plain,
        key_index: 1,
        amount: fen(FARE),
        terminal: TERMINAL,
    };
    let offer = InitializeForPurchase::parse_response(&ok(host.send(&purchase.to_apdu()))?)?;
    let psam = service.psam_keys(PsamScope::City(card.city)).unwrap();
    let session = psam.session(offer.key_version, &[card.number.bytes()], offer.random, offer.counter, 1)?;
    let terms = Purchase { amount: fen(FARE), txn_type: 6, terminal: TERMINAL, at };
    let mac1 = session.mac1(&terms, Some(&support::plan(2000).auth_id)).bytes();
    ok(host.send(&DebitForPurchase { terminal_seq: 1, at, mac1 }.to_apdu()))?;
    Some(())
}

/// A channel to a domain under the issuer's keys, if the chip still answers.
fn begin(host: &mut Host<Guard>, name: &[u8]) -> Option<smartcard::scp::Session> {
    use smartcard::gp::{InitializeUpdate, Level};
    let mut random = [0; 16];
    host.random.fill(&mut random);
    let opening = smartcard::scp::Opening::new(host.facts.scp, 0, random);
    host.select(name);
    let answer = host.send(&opening.command().to_apdu());
    let answer = InitializeUpdate::parse_response(&answer.data)?;
    let facts = opening.facts(&answer);
    let channel = SoftwareKeys::demo().open_channel(&host.issuer(), &facts).unwrap();
    let (proof, session) = opening.authenticate(&answer, channel, Level::MacAndEncryption).unwrap();
    host.send(&proof).status.is_ok().then_some(session)
}

/// A life that ends at the save of that number. What was saved before it, and whether it ended early.
fn lived(path: &Path, saves: usize, death: Death) -> (Vec<Vec<u8>>, bool) {
    let saved = Arc::default();
    let file = FileStore::new(path);
    let mortal = Mortal { file, path: path.to_owned(), left: saves, death, saved: Arc::clone(&saved) };
    let facts = facts("oppo-find7");
    let maker = demo_element_keys(&facts.keys, facts.key_kind());
    let made =
        SoftwareElement::manufacture(SERIAL, &facts, &maker, Box::new(mortal), Box::new(Seeded::new(1)));
    let finished = made.ok().and_then(|chip| {
        let mut host = Host::new(Guard { chip, dead: false }, &facts);
        life(&mut host)
    });
    let saved = saved.lock().unwrap().clone();
    (saved, finished.is_some())
}

#[test]
fn a_process_killed_at_any_save_leaves_the_chip_before_or_after_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: String| folder.path().join(name).with_extension("state");
    let (whole, finished) = lived(&path("whole".into()), usize::MAX, Death::Done);
    assert!(finished && whole.len() > 8);
    let last = balance(reopened(&path("whole".into())).unwrap());
    assert_eq!(last, Some(LOADED - FARE));

    for saves in 1..=whole.len() {
        for death in [Death::Torn(0), Death::Torn(1), Death::Torn(100), Death::Torn(usize::MAX), Death::Done]
        {
            let path = path(format!("{saves} {death:?}"));
            let (before, finished) = lived(&path, saves, death);
            assert!(!finished, "killed at {saves}, {death:?}");
            assert_eq!(before, whole[..saves - 1], "the same life up to here");
            let survived = match death {
                Death::Done => whole.get(saves - 1),
                Death::Torn(_) => saves.checked_sub(2).and_then(|last| whole.get(last)),
            };
            let kept = FileStore::new(&path).load().unwrap();
            assert_eq!(kept.as_ref(), survived, "killed at {saves}, {death:?}");
            let Some(chip) = reopened(&path) else { continue };
            let balance = balance(chip).unwrap_or(0);
            assert!([0, LOADED, LOADED - FARE].contains(&balance), "{balance} at {saves}, {death:?}");
        }
    }
}

#[test]
fn a_look_writes_nothing() {
    struct Counting(MemoryStore, Arc<AtomicU32>);
    impl Store for Counting {
        fn load(&mut self) -> io::Result<Option<Vec<u8>>> {
            self.0.load()
        }
        fn save(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.save(bytes)
        }
    }
    let saves = Arc::new(AtomicU32::new(0));
    let facts = facts("oppo-find7");
    let chip = support::element(&facts, Counting(MemoryStore::default(), Arc::clone(&saves)));
    let mut host = Host::new(chip, &facts);
    host.make_domain();
    host.issue(2000);
    host.activate(2000, true);
    let before = saves.load(Ordering::Relaxed);
    for name in [&[][..], support::DOMAIN.as_bytes(), &card::layout::PURSE_AID, instance(2000).as_bytes()] {
        host.select(name);
        for look in ["80CA004200", "805C000204", "00B0950000", "0084000004", "80F2400200"] {
            host.hex(look);
        }
    }
    assert_eq!(saves.load(Ordering::Relaxed), before);
}
