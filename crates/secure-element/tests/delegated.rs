//! Delegated management: `vectors/globalplatform/tokens.toml` on a whole element. With the issuer's token a step is done and
//! confirmed by a receipt; without it, with another's, or with one bit flipped, nothing changes.
#![allow(clippy::unwrap_used)] // a test may fail loudly

mod support;

use keys::{ChannelKeys, Key16, verify_receipt};
use ring::digest;
use secure_element::{MemoryStore, SoftwareElement, Store};
use smartcard::gp::{
    Aid, Dap, Delete, GetData, Install, InstallApplication, InstallLoad, Load, LoadFile, Package, Privilege,
    PutKey, PutPublicKey, Receipt, Tokened,
};
use smartcard::scp::Session;
use smartcard::{Apdu, Command, Response, Status};
use support::{DOMAIN, Host, facts, instance, put_keys};
use toml::Table;

const RECEIPT_KEY: [u8; 16] = *b"for receipts....";
const CITY: Aid = Aid::of([0xA0, 0, 0, 0, 0x03, 0x86, 0x98, 0x07, 0x20]);

fn vectors() -> Table {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/globalplatform/tokens.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

fn bytes(table: &Table, field: &str) -> Vec<u8> {
    hex::decode(table[field].as_str().unwrap()).unwrap()
}

/// The signature over this input, as the vectors have it.
fn signed(kind: &str, input: &[u8]) -> Vec<u8> {
    let all = vectors();
    let row = all[kind].as_array().unwrap().iter().map(|row| row.as_table().unwrap());
    let mut found = row.filter(|row| bytes(row, "input") == input);
    bytes(found.next().unwrap_or_else(|| panic!("no {kind} over {}", hex::encode_upper(input))), "token")
}

fn token(command: &impl Tokened) -> Vec<u8> {
    signed("token", &command.token_input())
}

fn public_key(name: &str, version: u8) -> PutPublicKey {
    let all = vectors();
    let key = all[name].as_table().unwrap();
    let (modulus, exponent) = (bytes(key, "modulus"), bytes(key, "exponent"));
    PutPublicKey { replaces: 0, version, number: 1, modulus, exponent }
}

fn receipt_key(channel: &ChannelKeys) -> PutKey {
    let keys = vec![channel.wrap(&Key16::new(RECEIPT_KEY)).into()];
    PutKey { replaces: 0, version: 0x71, first_key: 1, keys }
}

fn within(host: &mut Host<SoftwareElement>, session: &mut Session, command: &Apdu) -> Response {
    host.send(&session.wrap(command))
}

/// A phone whose issuer has given keys for tokens and receipts, with our domain under delegated management.
fn delegated(store: &MemoryStore) -> Host<SoftwareElement> {
    let facts = facts("oppo-find7");
    let mut host = Host::new(support::element(&facts, store.clone()), &facts);
    let mut session = host.issuer_session();
    let key = public_key("key", 0x70).to_apdu();
    assert_eq!(within(&mut host, &mut session, &key).data, [0x70]);
    let again = within(&mut host, &mut session, &key);
    assert_eq!(again.status, Status::NOT_FOUND, "there is one that it does not replace");
    let key = receipt_key(session.keys());
    let answer = within(&mut host, &mut session, &key.to_apdu());
    assert_eq!(answer.data, key.expected_answer().to_bytes());
    let domain = host.domain(&[Privilege::SecurityDomain, Privilege::DelegatedManagement]).to_apdu();
    assert_eq!(within(&mut host, &mut session, &domain).data, [0], "the issuer needs no receipt of its own");
    host.select(DOMAIN);
    let issuer = host.issuer();
    let mut session = host.open(&issuer, smartcard::gp::Level::MacAndEncryption);
    let keys = put_keys(&session, 0).to_apdu();
    assert_eq!(within(&mut host, &mut session, &keys).status, Status::OK);
    host
}

/// The receipt is the element's, for these names, and the one after the last.
fn confirms(answer: &Response, counter: u16, names: &[Aid]) {
    assert_eq!(answer.status, Status::OK);
    let Receipt { mac, confirmation } = Receipt::parse(&answer.data).unwrap();
    assert_eq!((confirmation.counter, confirmation.card.as_slice()), (counter, &support::SERIAL[..]));
    let (key, input) = (Key16::new(RECEIPT_KEY), confirmation.receipt_input(names));
    assert!(verify_receipt(&key, &input, &mac));
    assert!(!verify_receipt(&key, &confirmation.receipt_input(&[DOMAIN]), &mac));
}

#[test]
fn each_step_of_a_card_s_life_is_done_with_its_token_and_confirmed() {
    let mut host = delegated(&MemoryStore::default());
    let purse = host.purse(instance(2000));
    let load_file = purse.load_file;
    let install = Install::Application(purse);
    let mut session = host.domain_session();
    let answer = within(&mut host, &mut session, &install.with_token(&token(&install)));
    confirms(&answer, 1, &[load_file, instance(2000)]);
    let again = within(&mut host, &mut session, &install.with_token(&token(&install)));
    assert_eq!(again.status, Status::CONDITIONS_NOT_SATISFIED, "there is one of that name");
    assert_eq!(host.personalise(&mut session, 2000, instance(2000)), Status::OK, "no token for data");
    assert_eq!(host.send(&session.wrap(&GetData { tag: 0xC2 }.to_apdu())).data, [0xC2, 2, 0, 1]);
    let delete = Delete { aid: instance(2000), related: false };
    let answer = within(&mut host, &mut session, &delete.with_token(&token(&delete)));
    confirms(&answer, 2, &[instance(2000)]);
    assert_eq!(host.select(instance(2000)).status, Status::FILE_NOT_FOUND);
}

#[test]
fn without_the_issuers_token_for_this_very_command_nothing_changes() {
    let store = MemoryStore::default();
    let mut host = delegated(&store);
    let install = Install::Application(host.purse(instance(2000)));
    let another =
        Install::Application(InstallApplication { selectable: false, ..host.purse(instance(2000)) });
    let delete = Delete { aid: instance(2000), related: false };
    let good = token(&install);
    let mut session = host.domain_session();
    let before = store.clone().load().unwrap();
    let mut cases = vec![
        (install.to_apdu(), "none"),
        (install.with_token(&token(&delete)), "of another command"),
        (another.with_token(&good), "of almost this command"),
        (install.with_token(&good[..127]), "cut"),
        (delete.to_apdu(), "none, to delete"),
        (delete.with_token(&good), "of another command, to delete"),
    ];
    for bit in [0, 511, 1023] {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        cases.push((install.with_token(&flipped), "with a flipped bit"));
    }
    for (command, why) in cases {
        let refused = within(&mut host, &mut session, &command);
        assert_eq!(refused.status, Status::SECURITY_NOT_SATISFIED, "a token {why}");
        assert_eq!(store.clone().load().unwrap(), before, "a token {why}");
    }
    // An issuer that has no key for tokens cannot check one, and takes none on trust.
    let facts = facts("oppo-find7");
    let mut bare = Host::new(support::element(&facts, MemoryStore::default()), &facts);
    let mut session = bare.issuer_session();
    let unknown = within(&mut bare, &mut session, &install.with_token(&good));
    assert_eq!(unknown.status, Status::NOT_FOUND);
    assert_eq!(within(&mut bare, &mut session, &install.to_apdu()).status, Status::OK, "and needs none");
}

#[test]
fn a_card_is_handed_over_with_a_token() {
    let mut host = delegated(&MemoryStore::default());
    let install = Install::Application(host.purse(instance(2000)));
    let issuer = Aid::new(host.facts.isd_aid.as_bytes()).unwrap();
    let hand = Install::Extradite { domain: issuer, application: instance(2000) };
    let mut session = host.domain_session();
    within(&mut host, &mut session, &install.with_token(&token(&install)));
    let alone = within(&mut host, &mut session, &hand.to_apdu());
    assert_eq!(alone.status, Status::SECURITY_NOT_SATISFIED);
    let answer = within(&mut host, &mut session, &hand.with_token(&token(&hand)));
    confirms(&answer, 2, &[instance(2000), issuer]);
}

/// The city's package with ten bytes of code, and the signature over its hash.
fn package(host: &Host<SoftwareElement>) -> (LoadFile, Install) {
    let modules = vec![Aid::new(host.facts.purse_module.as_bytes()).unwrap(), Aid::DOMAIN_MODULE];
    let names = Package { aid: CITY, modules }.to_bytes();
    let code = [&names[..], &[7, 0, 10], &[0xAA; 10]].concat();
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &code).as_ref().to_vec();
    let signatures = vec![Dap { domain: DOMAIN, signature: signed("dap", &hash) }];
    let announced = InstallLoad { load_file: CITY, domain: None, hash, system: vec![] };
    (LoadFile { signatures, code }, Install::Load(announced))
}

fn load(host: &mut Host<SoftwareElement>, session: &mut Session, file: &LoadFile) -> Response {
    let blocks = Load::series(file, 100).unwrap();
    let answers = blocks.iter().map(|block| within(host, session, &block.to_apdu()));
    answers.last().unwrap()
}

#[test]
fn a_load_is_announced_with_a_token_and_confirmed_when_it_is_whole() {
    let mut host = delegated(&MemoryStore::default());
    let (file, announced) = package(&host);
    let file = LoadFile { signatures: vec![], ..file };
    let mut session = host.domain_session();
    let alone = within(&mut host, &mut session, &announced.to_apdu());
    assert_eq!(alone.status, Status::SECURITY_NOT_SATISFIED);
    let answer = within(&mut host, &mut session, &announced.with_token(&token(&announced)));
    assert_eq!((answer.status, answer.data), (Status::OK, vec![0]));
    let last = load(&mut host, &mut session, &file);
    confirms(&last, 1, &[CITY, DOMAIN]);
}

#[test]
fn a_domain_that_checks_load_files_takes_those_that_it_signed_and_no_others() {
    let facts = facts("oppo-find7");
    let mut host = Host::new(support::element(&facts, MemoryStore::default()), &facts);
    let rights = [Privilege::SecurityDomain, Privilege::DapVerification, Privilege::AuthorizedManagement];
    assert_eq!(host.install_domain(&rights), Status::OK);
    host.select(DOMAIN);
    let issuer = host.issuer();
    let mut session = host.open(&issuer, smartcard::gp::Level::MacAndEncryption);
    let keys = put_keys(&session, 0).to_apdu();
    within(&mut host, &mut session, &keys);
    let (file, announced) = package(&host);
    let mut session = host.domain_session();
    let mut try_it = |host: &mut Host<SoftwareElement>, file: &LoadFile| {
        assert_eq!(within(host, &mut session, &announced.to_apdu()).status, Status::OK);
        load(host, &mut session, file).status
    };
    assert_eq!(try_it(&mut host, &file), Status::NOT_FOUND, "no key for it yet");
    let mut session = host.domain_session();
    let key = public_key("dap_key", 0x73).to_apdu();
    assert_eq!(within(&mut host, &mut session, &key).data, [0x73]);
    let mut try_it = |host: &mut Host<SoftwareElement>, file: &LoadFile| {
        assert_eq!(within(host, &mut session, &announced.to_apdu()).status, Status::OK);
        load(host, &mut session, file).status
    };
    let mut flipped = file.clone();
    flipped.signatures[0].signature[64] ^= 1;
    assert_eq!(try_it(&mut host, &flipped), Status::SECURITY_NOT_SATISFIED);
    let unsigned = LoadFile { signatures: vec![], ..file.clone() };
    assert_eq!(try_it(&mut host, &unsigned), Status::SECURITY_NOT_SATISFIED);
    assert_eq!(try_it(&mut host, &file), Status::OK);
}

#[test]
fn keys_for_tokens_receipts_and_load_files_go_only_where_they_are_of_use() {
    let mut host = support::phone();
    let mut session = host.domain_session();
    for version in [0x70, 0x71] {
        let key = public_key("key", version).to_apdu();
        assert_eq!(within(&mut host, &mut session, &key).status, Status::WRONG_DATA);
    }
    let key = public_key("dap_key", 0x73).to_apdu();
    let unasked = within(&mut host, &mut session, &key);
    assert_eq!(unasked.status, Status::CONDITIONS_NOT_SATISFIED, "it checks no load files");
    let mut session = host.issuer_session();
    let mut wrong = receipt_key(session.keys());
    wrong.keys[0].kcv[0] ^= 1;
    assert_eq!(within(&mut host, &mut session, &wrong.to_apdu()).status, Status::WRONG_DATA);
    assert_eq!(host.send(&session.wrap(&GetData { tag: 0xC2 }.to_apdu())).status, Status::NOT_FOUND);
}
