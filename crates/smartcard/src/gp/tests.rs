//! Every command of `vectors/globalplatform/commands.toml`, read and written by both directions of its type,
//! and the real GET STATUS answers of `status.toml`.
//!
//! Standard: GlobalPlatform commands, globalplatform.md sections 1.5, 2 and 5.

use crate::apdu::{Apdu, Command, Response, Status};
use crate::gp::{self, Aid};
use crate::vectors::{bytes, file, tables, text};

fn apdu(hex_text: &str) -> Apdu {
    Apdu::parse(&hex::decode(hex_text).unwrap()).unwrap()
}

/// The command read by its type and written again.
fn again(command: &str, apdu: &Apdu) -> Result<Apdu, Status> {
    fn through<C: Command>(apdu: &Apdu) -> Result<Apdu, Status> {
        C::from_apdu(apdu).map(|command| command.to_apdu())
    }
    match command {
        "Delete" => through::<gp::Delete>(apdu),
        "DeleteKey" => through::<gp::DeleteKey>(apdu),
        "ExternalAuthenticate" => through::<gp::ExternalAuthenticate>(apdu),
        "GetActivation" => through::<gp::crs::GetActivation>(apdu),
        "GetData" => through::<gp::GetData>(apdu),
        "GetValue" => through::<gp::GetValue>(apdu),
        "GetStatus" => through::<gp::GetStatus>(apdu),
        "InitializeUpdate" => through::<gp::InitializeUpdate>(apdu),
        "Install" => through::<gp::Install>(apdu),
        "Load" => through::<gp::Load>(apdu),
        "ManageChannel" => through::<gp::ManageChannel>(apdu),
        "PutKey" => through::<gp::PutKey>(apdu),
        "PutPublicKey" => through::<gp::PutPublicKey>(apdu),
        "Select" => through::<gp::Select>(apdu),
        "SetPriority" => through::<gp::crs::SetPriority>(apdu),
        "SetActivation" => through::<gp::crs::SetActivation>(apdu),
        "SetStatus" => through::<gp::SetStatus>(apdu),
        "StoreData" => through::<gp::StoreData>(apdu),
        _ => panic!("unknown command {command}"),
    }
}

#[test]
fn every_command_is_read_and_written_byte_for_byte() {
    for vector in tables(&file("commands.toml")["vector"]) {
        let bytes = text(&vector, "apdu");
        let written =
            again(text(&vector, "command"), &apdu(bytes)).map(|apdu| hex::encode_upper(apdu.to_bytes()));
        assert_eq!(written.as_deref(), Ok(bytes), "{}", text(&vector, "why"));
    }
}

#[test]
fn every_spoilt_command_is_refused_with_its_status_word() {
    for vector in tables(&file("commands.toml")["vector"]) {
        for spoilt in tables(&vector["refused"]) {
            let bytes = text(&spoilt, "apdu");
            let status = again(text(&vector, "command"), &apdu(bytes)).unwrap_err();
            assert_eq!(format!("{status:?}"), text(&spoilt, "status"), "{}: {bytes}", text(&vector, "why"));
        }
    }
}

#[test]
fn real_registries_are_understood_and_cut_ones_are_not() {
    for vector in tables(&file("status.toml")["vector"]) {
        let answer = Response::parse(&bytes(&vector, "answer")).unwrap();
        assert!(answer.status.is_ok());
        let aid = |aid: Option<Aid>| aid.unwrap().to_string();
        let entries = gp::GetStatus::parse_response(&answer.data).unwrap();
        let found: Vec<[String; 5]> = entries
            .iter()
            .map(|entry| {
                let state = format!("{:02X}", entry.life_cycle.0);
                let privileges = hex::encode_upper(entry.privileges.unwrap().0);
                [entry.aid.to_string(), state, privileges, aid(entry.load_file), aid(entry.domain)]
            })
            .collect();
        let expected: Vec<[String; 5]> = vector["registry"].clone().try_into().unwrap();
        assert_eq!(found, expected, "{}", text(&vector, "why"));

        // Each entry as we write it, too; and no cut that is not between two entries.
        let ours: Vec<u8> = entries.iter().flat_map(gp::Entry::to_bytes).collect();
        assert_eq!(gp::GetStatus::parse_response(&ours), Some(entries.clone()));
        for cut in 1..answer.data.len() {
            let head = gp::GetStatus::parse_response(&answer.data[..cut]);
            assert!(head.is_none_or(|head| entries.starts_with(&head) && head.len() < entries.len()));
        }
    }
}
