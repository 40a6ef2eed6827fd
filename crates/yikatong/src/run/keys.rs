//! `yikatong keys`: ceremony, check values, derivation, the demo's published roots.

use std::fs;
use std::path::{Path, PathBuf};

use keys::vault::{Cost, Lock, seal};
use keys::{
    CardRef, CheckValue, Component, KeyService, PsamScope, Roots, SamPurpose, SoftwareKeys, StaticKeys,
    demo_card_keys, demo_constants,
};
use model::{CardNumber, CityCode};
use serde_json::json;

use crate::cli::{Keys, VaultFile};
use crate::failure::{Failure, Outcome};
use crate::machine::{SystemEntropy, open_vault, passphrase, write_file};
use crate::run::print;

pub(crate) fn run(command: Keys, json: bool) -> Outcome {
    match command {
        Keys::Demo { signer: Some(keyid) } => demo_signer(&keyid, json),
        Keys::Demo { signer: None } => demo(json),
        Keys::Ceremony { components, vault } => ceremony(&components, &vault, json),
        Keys::Check { vault } => {
            let roots = open_vault(&vault.vault, Some(&vault.passphrase_file))?;
            check_values(&roots.check_values(), json)
        }
        Keys::AddMaker { maker, version, file, vault } => add_maker(&maker, version, &file, &vault, json),
        Keys::Sam { control, challenge, city, load, vault } => {
            let purpose = if load { SamPurpose::Load } else { SamPurpose::Purchase };
            sam(
                purpose,
                city.map_or(PsamScope::National, PsamScope::City),
                &control,
                &challenge,
                &vault,
                json,
            )
        }
        Keys::Derive { city, card } => derive(city, card, json),
    }
}

fn demo(json: bool) -> Outcome {
    let rows: Vec<_> =
        demo_constants().into_iter().map(|(name, bytes)| (name, hex::encode_upper(bytes))).collect();
    if json {
        let roots: serde_json::Map<_, _> =
            rows.into_iter().map(|(name, key)| (name.to_owned(), key.into())).collect();
        return print(
            &json!({ "version": 1, "derivation": "E3(K,D)||E3(K,~D), city then card", "roots": roots }),
        );
    }
    outln!("Published roots of every demo network; no centre without --demo accepts them.");
    for (name, key) in rows {
        outln!("{name:<14} {key}");
    }
    Ok(())
}

/// The key that a party signs its requests with in a demo: Ed25519, PKCS #8, as every tool reads it.
fn demo_signer(keyid: &str, json: bool) -> Outcome {
    /// PKCS #8 of an Ed25519 key (RFC 8410), up to the seed.
    const PKCS8: [u8; 16] = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = [PKCS8.as_slice(), &centre::http::demo_signing_key(keyid).to_bytes()].concat();
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----");
    if json {
        return print(&json!({ "keyid": keyid, "alg": "ed25519", "pem": pem }));
    }
    outln!("{pem}");
    Ok(())
}

fn ceremony(components: &[PathBuf], vault: &VaultFile, json: bool) -> Outcome {
    if vault.vault.exists() {
        return Err(Failure::path(&vault.vault, "is there already; a ceremony never replaces a vault"));
    }
    let custodians = components.iter().map(|path| component(path)).collect::<Outcome<Vec<_>>>()?;
    let roots = Roots::ceremony(&custodians).map_err(Failure::input)?;
    let passphrase = passphrase(&vault.passphrase_file)?;
    let lock = Lock::Passphrase(&passphrase);
    let sealed = seal(&roots, &lock, Cost::DEFAULT, &mut SystemEntropy).map_err(Failure::wrong)?;
    write_file(&vault.vault, &sealed)?;
    check_values(&roots.check_values(), json)
}

/// A custodian's file: one component a line, 32 hex digits and their check value, in the order of the roots.
fn component(path: &Path) -> Outcome<Vec<Component>> {
    let text = fs::read_to_string(path).map_err(|error| Failure::path(path, error))?;
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let parse = |(line, number): (&str, usize)| {
        line.parse::<Component>().map_err(|error| Failure::path(path, format_args!("line {number}: {error}")))
    };
    lines.map(parse).collect()
}

/// A maker's element keys, as its custodian brings them: ENC, MAC and DEK, a line each, into an existing vault.
fn add_maker(maker: &str, version: u8, file: &Path, vault: &VaultFile, json: bool) -> Outcome {
    let mut roots = open_vault(&vault.vault, Some(&vault.passphrase_file))?;
    let keys = component(file)?;
    let count = keys.len();
    let three = <[Component; 3]>::try_from(keys);
    let three =
        three.map_err(|_| Failure::path(file, format_args!("{count} keys; expected 3: ENC, MAC, DEK")))?;
    let [enc, mac, dek] = three.map(Component::into_key);
    roots.add_maker(maker, version, StaticKeys::new(enc, mac, dek));
    let passphrase = passphrase(&vault.passphrase_file)?;
    let sealed = seal(&roots, &Lock::Passphrase(&passphrase), Cost::DEFAULT, &mut SystemEntropy)
        .map_err(Failure::wrong)?;
    write_file(&vault.vault, &sealed)?;
    check_values(&roots.check_values(), json)
}

/// The command that carries a SAM's key.
fn sam(
    purpose: SamPurpose,
    scope: PsamScope,
    control: &Path,
    challenge: &str,
    vault: &VaultFile,
    json: bool,
) -> Outcome {
    let mut random = [0; 4];
    hex::decode_to_slice(challenge, &mut random)
        .map_err(|_| Failure::input(format_args!("--challenge: `{challenge}`; expected 8 hex digits")))?;
    let mut keys = component(control)?.into_iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(Failure::path(control, "expected one line, the module's control key"));
    };
    let service = SoftwareKeys::new(open_vault(&vault.vault, Some(&vault.passphrase_file))?);
    let command = service.sam_write_key(purpose, scope, &key.into_key(), random).map_err(Failure::wrong)?;
    let command = hex::encode_upper(command);
    if json {
        return print(&json!({ "write_key": command }));
    }
    outln!("{command}");
    Ok(())
}

fn check_values(values: &[CheckValue], json: bool) -> Outcome {
    if json {
        let list: Vec<_> = values
            .iter()
            .map(|value| json!({ "name": value.name, "version": value.version, "kcv": hex::encode_upper(value.kcv) }))
            .collect();
        return print(&json!(list));
    }
    for value in values {
        outln!("{:<14} version {} check value {}", value.name, value.version, hex::encode_upper(value.kcv));
    }
    Ok(())
}

fn derive(city: CityCode, card: CardNumber, json: bool) -> Outcome {
    let keys = demo_card_keys(&CardRef { city, number: card });
    let values: Vec<CheckValue> = keys
        .iter()
        .map(|key| CheckValue { name: key.usage.name().to_owned(), version: key.version, kcv: key.key.kcv() })
        .collect();
    check_values(&values, json)
}
