//! The phone's agent (手机代理): relays scripts between the TSM and a secure element or a plastic card, and
//! interprets nothing.
//!
//! Standard: GlobalPlatform SERAM 2.0, the local agent.
//! Invariant: commands run in order; after the first one without an answer none is sent. An answer that the element holds back
//! is fetched here, so that it costs no trip to the TSM.

use smartcard::{Channel, ChannelError, whole};

use crate::seram::{
    AgentReport, AgentStatus, HandshakeRequest, LocalAgentStatus, Orders, RamCommand, RamResponse,
    ResponseList, SecureElement,
};

/// Bytes of an answer to a short command: a status word, and up to 256 before it.
const ANSWER: std::ops::RangeInclusive<usize> = 2..=258;

/// A phone's side of the conversation, for one element.
#[derive(Clone, Debug)]
pub struct Agent {
    element: SecureElement,
}

/// What the agent did with one set of orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// To be posted next, unless `stop`.
    pub report: AgentReport,
    /// The session is over.
    pub stop: bool,
    /// What the TSM wants the passenger's application to know.
    pub notices: Vec<String>,
}

impl Agent {
    /// An agent that reaches `element`.
    #[must_use]
    pub fn new(element: SecureElement) -> Self {
        Agent { element }
    }

    /// The first message of a session.
    #[must_use]
    pub fn handshake(&self) -> HandshakeRequest {
        HandshakeRequest {
            secure_elements: vec![self.element.clone()],
            protocols: vec!["seram".into()],
            formats: vec!["json".into()],
            versions: vec!["2.0.0".into()],
        }
    }

    /// Runs orders on `channel`.
    pub fn run(&self, orders: &Orders, channel: &mut dyn Channel) -> Done {
        let mut run = Run::default();
        for command in &orders.ram_commands {
            match command {
                RamCommand::Start => run.start(channel),
                RamCommand::Script { script } => run.script(&script.commands, channel),
                RamCommand::Notify { notification } => {
                    run.notices.push(notification.device_app_notification.clone())
                }
                RamCommand::Stop => run.stop = true,
            }
        }
        run.done()
    }
}

#[derive(Default)]
struct Run {
    responses: Vec<RamResponse>,
    notices: Vec<String>,
    sent: u32,
    failure: Option<(AgentStatus, String)>,
    stop: bool,
}

impl Run {
    fn start(&mut self, channel: &mut dyn Channel) {
        if let Err(error) = channel.reset() {
            self.failure = Some((AgentStatus::UnavailableSe, error.to_string()));
        }
    }

    fn script(&mut self, commands: &[String], channel: &mut dyn Channel) {
        let responses = commands.iter().map(|command| self.one(command, channel)).collect();
        self.responses.push(RamResponse { se_ram_response: ResponseList { responses } });
    }

    /// One command; an empty answer if it was not sent or nothing came back.
    fn one(&mut self, command: &str, channel: &mut dyn Channel) -> String {
        if self.failure.is_some() {
            return String::new();
        }
        let Ok(bytes) = hex::decode(command) else {
            self.failure = Some((AgentStatus::UnknownFailure, "a command is not hex".into()));
            return String::new();
        };
        match whole(channel, &bytes) {
            Ok(answer) if ANSWER.contains(&answer.len()) => {
                self.sent = self.sent.saturating_add(1);
                hex::encode_upper(answer)
            }
            Ok(answer) => {
                self.sent = self.sent.saturating_add(1);
                self.failure =
                    Some((AgentStatus::UnavailableSe, format!("{} bytes are no answer", answer.len())));
                String::new()
            }
            Err(error) => {
                if !matches!(error, ChannelError::NotSent(_)) {
                    self.sent = self.sent.saturating_add(1);
                }
                self.failure = Some((AgentStatus::UnavailableSe, error.to_string()));
                String::new()
            }
        }
    }

    fn done(self) -> Done {
        let (status, error_msg) = match self.failure {
            None => (AgentStatus::Processed, None),
            Some((status, text)) => (status, Some(text)),
        };
        let status = LocalAgentStatus {
            local_agent_status_enum: status,
            executed_se_ram_commands: Some(self.sent),
            error_msg,
        };
        let report = AgentReport { local_agent_status: status, ram_responses: self.responses };
        Done { report, stop: self.stop, notices: self.notices }
    }
}

#[cfg(test)]
mod tests {
    use smartcard::Apdu;

    use super::*;
    use crate::seram::SeType;

    /// Answers `9000` so often, then goes silent.
    struct Dying(u32);
    impl Channel for Dying {
        fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
            self.0 = self.0.checked_sub(1).ok_or_else(|| ChannelError::Lost("gone".into()))?;
            Ok(vec![0x90, 0x00])
        }
    }

    #[test]
    fn nothing_is_sent_after_the_first_silence() {
        let element = SecureElement { se_type: SeType::eSE, se_id: "01".into(), se_extra_info: None };
        let orders = Orders::run(&vec![Apdu::case2([0, 0xA4, 4, 0], None); 4], true);
        let done = Agent::new(element).run(&orders, &mut Dying(2));
        assert_eq!(done.report.ram_responses[0].se_ram_response.responses, ["9000", "9000", "", ""]);
        assert_eq!(done.report.local_agent_status.executed_se_ram_commands, Some(3));
        assert_eq!(done.report.local_agent_status.local_agent_status_enum, AgentStatus::UnavailableSe);
        assert!(!done.stop);
    }

    #[test]
    fn what_is_no_answer_is_relayed_as_silence() {
        struct Babbling(usize);
        impl Channel for Babbling {
            fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
                Ok(vec![0x90; self.0])
            }
        }
        let element = SecureElement { se_type: SeType::eSE, se_id: "01".into(), se_extra_info: None };
        let agent = Agent::new(element);
        let orders = Orders::run(&vec![Apdu::case2([0, 0xA4, 4, 0], None); 2], true);
        for (length, sent) in [(0, 1), (1, 1), (2, 2), (258, 2), (259, 1), (65535, 1)] {
            let report = agent.run(&orders, &mut Babbling(length)).report;
            assert_eq!(report.local_agent_status.executed_se_ram_commands, Some(sent), "{length} bytes");
            assert_eq!(report.ram_responses[0].se_ram_response.responses[0].is_empty(), sent == 1);
        }
    }

    #[test]
    fn a_stop_carries_its_notice_to_the_passenger() {
        let element = SecureElement { se_type: SeType::eSE, se_id: "01".into(), se_extra_info: None };
        let done = Agent::new(element).run(&Orders::stop("done"), &mut Dying(0));
        assert_eq!((done.stop, done.notices), (true, vec!["done".to_owned()]));
    }
}
