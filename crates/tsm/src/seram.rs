//! The messages between a phone's agent and the TSM: who may run which commands on the phone's secure element.
//!
//! Standard: GlobalPlatform SERAM 2.0 (JSON over HTTPS): the phone posts, the answer is the next script. The
//! published interface description calls the first and last command `ramStartCommand` and `ramStopCommand` where
//! its examples say `startCommand` and `stopCommand`; we write the examples' form and read both. Its text gives a
//! delay of 1 s where the description gives 100 ms; we always write the delay out.
//! Invariant: this module holds shapes only; JSON itself is written and read at the door that speaks HTTP.

use serde::{Deserialize, Serialize};
use smartcard::{Apdu, Response};

/// The kind of element, in SERAM's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(non_camel_case_types, missing_docs)] // the standard's own spelling
pub enum SeType {
    eSE,
    iSE,
    uicc,
    euicc,
    ieuicc,
    undefined,
}

/// One secure element that the agent reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecureElement {
    /// Embedded, SIM, ...
    pub se_type: SeType,
    /// The element's identity, hex: issuer identification number and card image number (tags 42, 45); `plastic` for
    /// a card that has none.
    pub se_id: String,
    /// What else the agent knows; here the phone model's id in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub se_extra_info: Option<String>,
}

impl SecureElement {
    /// A phone's embedded element; `phone` is the model's id in the registry.
    #[must_use]
    pub fn embedded(se_id: &str, phone: &str) -> Self {
        SecureElement { se_type: SeType::eSE, se_id: se_id.to_owned(), se_extra_info: Some(phone.to_owned()) }
    }

    /// Whatever plastic card is held to the phone.
    #[must_use]
    pub fn plastic() -> Self {
        SecureElement { se_type: SeType::undefined, se_id: "plastic".to_owned(), se_extra_info: None }
    }
}

/// `POST {base}/handshake`: what the agent can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeRequest {
    /// The elements in reach.
    pub secure_elements: Vec<SecureElement>,
    /// Protocols it speaks; here `seram`.
    pub protocols: Vec<String>,
    /// Formats it reads; here `json`.
    pub formats: Vec<String>,
    /// Versions it knows; here `2.0.0`.
    pub versions: Vec<String>,
}

/// The answer to a handshake: one choice of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeResponse {
    /// The element to manage.
    pub secure_element: SecureElement,
    /// `seram`.
    pub protocol: String,
    /// `json`.
    pub format: String,
    /// `2.0.0`.
    pub version: String,
}

/// One command to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ramCommandType")]
pub enum RamCommand {
    /// The session begins: power the element, forget earlier channels.
    #[serde(rename = "startCommand", alias = "ramStartCommand")]
    Start,
    /// Run these on the element.
    #[serde(rename = "seRamCommand")]
    Script {
        /// The script.
        #[serde(rename = "seRamCommand")]
        script: CommandList,
    },
    /// Tell the application on the phone.
    #[serde(rename = "notificationCommand")]
    Notify {
        /// What to tell.
        #[serde(rename = "notificationCommand")]
        notification: Notification,
    },
    /// The session ends.
    #[serde(rename = "stopCommand", alias = "ramStopCommand")]
    Stop,
}

/// The commands of one script, hex, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandList {
    /// Command APDUs.
    #[serde(rename = "listOfCAPDU")]
    pub commands: Vec<String>,
}

/// The answers of one script, hex, in order; empty where no answer came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseList {
    /// Response APDUs.
    #[serde(rename = "listOfRAPDU")]
    pub responses: Vec<String>,
}

/// A word to the application on the phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Free text or a code.
    pub device_app_notification: String,
}

/// The TSM's answer: what to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orders {
    /// Wait this long before the next post, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<u64>,
    /// The element meant, if the agent reaches several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_secure_element: Option<SecureElement>,
    /// The commands.
    pub ram_commands: Vec<RamCommand>,
}

/// How the last orders went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)] // the standard's own words
pub enum AgentStatus {
    Polling,
    Processed,
    UnavailableSe,
    UnknownFailure,
    UngrantedAccess,
}

/// The agent's state, with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalAgentStatus {
    /// The state.
    pub local_agent_status_enum: AgentStatus,
    /// How many commands of the last script were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed_se_ram_commands: Option<u32>,
    /// Why it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
}

/// The answers of one script, as SERAM nests them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RamResponse {
    /// The answers.
    pub se_ram_response: ResponseList,
}

/// `POST {base}/remoteManagement`: what became of the last orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentReport {
    /// How it went.
    pub local_agent_status: LocalAgentStatus,
    /// The answers, one list a script.
    #[serde(default)]
    pub ram_responses: Vec<RamResponse>,
}

impl Orders {
    /// Run `commands`; `first` also powers the element.
    #[must_use]
    pub fn run(commands: &[Apdu], first: bool) -> Self {
        let script =
            CommandList { commands: commands.iter().map(|c| hex::encode_upper(c.to_bytes())).collect() };
        let start = first.then_some(RamCommand::Start);
        Orders {
            ram_commands: start.into_iter().chain([RamCommand::Script { script }]).collect(),
            ..Orders::default()
        }
    }

    /// Nothing more to do; `notice` is for the application on the phone.
    #[must_use]
    pub fn stop(notice: &str) -> Self {
        let notification = Notification { device_app_notification: notice.to_owned() };
        Orders {
            ram_commands: vec![RamCommand::Notify { notification }, RamCommand::Stop],
            ..Orders::default()
        }
    }

    /// Whether the session ends with these orders.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.ram_commands.contains(&RamCommand::Stop)
    }
}

/// An answer in a report that is neither empty nor a response APDU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("answer {number} of the report is not a response APDU in hex")]
pub struct BadAnswer {
    /// Which, from 1.
    pub number: usize,
}

impl AgentReport {
    /// The first report of a session: nothing has run yet.
    #[must_use]
    pub fn polling() -> Self {
        let status = LocalAgentStatus {
            local_agent_status_enum: AgentStatus::Polling,
            executed_se_ram_commands: None,
            error_msg: None,
        };
        AgentReport { local_agent_status: status, ram_responses: Vec::new() }
    }

    /// Whether the report is only a question for orders.
    #[must_use]
    pub fn is_polling(&self) -> bool {
        self.local_agent_status.local_agent_status_enum == AgentStatus::Polling
    }

    /// The answers as response APDUs; `None` where no answer came.
    ///
    /// # Errors
    /// [`BadAnswer`] names the first that is not one.
    pub fn answers(&self) -> Result<Vec<Option<Response>>, BadAnswer> {
        let texts = self.ram_responses.iter().flat_map(|r| &r.se_ram_response.responses);
        let parse = |(text, number): (&String, usize)| {
            if text.is_empty() {
                return Ok(None);
            }
            let bytes = hex::decode(text).ok();
            bytes.and_then(|b| Response::parse(&b).ok()).map(Some).ok_or(BadAnswer { number })
        };
        texts.zip(1..).map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_have_the_published_shape() {
        let orders = Orders::run(&[Apdu::case2([0x00, 0xA4, 0x04, 0x00], Some(256))], true);
        let json = serde_json::to_string(&orders).unwrap();
        assert_eq!(
            json,
            r#"{"ramCommands":[{"ramCommandType":"startCommand"},{"ramCommandType":"seRamCommand","seRamCommand":{"listOfCAPDU":["00A4040000"]}}]}"#
        );
        assert_eq!(serde_json::from_str::<Orders>(&json).unwrap(), orders);
    }

    #[test]
    fn both_spellings_of_the_last_command_are_read() {
        for name in ["stopCommand", "ramStopCommand"] {
            let json = format!(r#"{{"ramCommands":[{{"ramCommandType":"{name}"}}]}}"#);
            assert!(serde_json::from_str::<Orders>(&json).unwrap().ends());
        }
    }

    #[test]
    fn silence_is_an_empty_answer_and_nonsense_is_named() {
        let report = |answers: &str| {
            let json = format!(
                r#"{{"localAgentStatus":{{"localAgentStatusEnum":"PROCESSED","executedSeRamCommands":2}},"ramResponses":[{{"seRamResponse":{{"listOfRAPDU":{answers}}}}}]}}"#
            );
            serde_json::from_str::<AgentReport>(&json).unwrap().answers()
        };
        assert_eq!(report(r#"["9000",""]"#), Ok(vec![Some(Response::ok([])), None]));
        assert_eq!(report(r#"["9000","90"]"#), Err(BadAnswer { number: 2 }));
        assert_eq!(report(r#"["zz"]"#), Err(BadAnswer { number: 1 }));
    }
}
