//! A wallet behind a command of its developer's: run once for each verb, everything in its environment, one line of
//! JSON out.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::driver::{Ask, Driver, Said};

/// Between two looks whether the command has ended.
const LOOK: Duration = Duration::from_millis(20);
/// How much of what the command says is quoted.
const QUOTED: usize = 400;

/// Runs a shell command.
#[derive(Clone, Debug)]
pub struct CommandDriver {
    line: String,
    patience: Duration,
}

impl CommandDriver {
    /// The command line, as a shell reads it, and how long one run may take.
    #[must_use]
    pub fn new(line: &str, patience: Duration) -> Self {
        CommandDriver { line: line.to_owned(), patience }
    }
}

impl Driver for CommandDriver {
    fn ask(&mut self, ask: &Ask) -> Result<Said, String> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.line).envs(ask.environment());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("sh: {error}"))?;
        let by = Instant::now().checked_add(self.patience);
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break status;
            }
            if by.is_none_or(|by| Instant::now() > by) {
                // Already ended, or it ends now; both are the end of it.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("no end after {} s", self.patience.as_secs()));
            }
            std::thread::sleep(LOOK);
        };
        let read = |pipe: Option<&mut dyn Read>| {
            let mut text = String::new();
            pipe.map_or(Ok(0), |pipe| pipe.read_to_string(&mut text)).map(|_| text)
        };
        let out = read(child.stdout.as_mut().map(|pipe| pipe as &mut dyn Read)).map_err(|e| e.to_string())?;
        let err = read(child.stderr.as_mut().map(|pipe| pipe as &mut dyn Read)).unwrap_or_default();
        if !status.success() {
            return Err(format!("{status}: {}", end_of(&err)));
        }
        let line = out.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        serde_json::from_str(line)
            .map_err(|error| format!("its last line is no answer: {error}: {}", end_of(line)))
    }
}

fn end_of(text: &str) -> String {
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(QUOTED);
    text.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Verb;

    fn ask(line: &str) -> Result<Said, String> {
        CommandDriver::new(line, Duration::from_secs(2)).ask(&Ask {
            verb: Verb::Load,
            scenario: "plain",
            centre: "http://127.0.0.1:1".into(),
            wallet: "alipay".into(),
            user: "li".into(),
            city: "2000".into(),
            phone: "oppo-find7".into(),
            se_id: "00".into(),
            amount_fen: 5000,
            day: "2014-10-20".into(),
            plastic: true,
            order: String::new(),
        })
    }

    #[test]
    fn the_environment_asks_and_the_last_line_answers() {
        let line = r#"echo hello; echo "{\"order\":\"$YIKATONG_DO\",\"available_fen\":1,\"held_fen\":$YIKATONG_AMOUNT_FEN,\"more\":0}""#;
        let said = Said {
            order: Some("load".into()),
            state: None,
            available_fen: 1,
            held_fen: 5000,
            ..Said::default()
        };
        assert_eq!(ask(line), Ok(said));
    }

    #[test]
    fn a_command_that_fails_hangs_or_babbles_is_quoted() {
        assert!(ask("echo no money >&2; exit 3").unwrap_err().contains("no money"));
        assert!(ask("exec sleep 20").unwrap_err().contains("no end after 2 s"));
        assert!(ask("echo done").unwrap_err().contains("done"));
    }
}
