//! The report (认证报告): JSON for machines, Markdown for people, and a signature over the JSON's bytes.
//!
//! Standard: Ed25519, RFC 8032; the signature is a file of its own, 128 hex digits.
//! Invariant: a report passes only if every scenario was played and none found anything.

use std::fmt::Write as _;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Words};
use crate::stage::Stage;

/// One scenario that was played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its stable code.
    pub code: String,
    /// What it is.
    pub title: Words,
    /// Whether nothing was found.
    pub passed: bool,
    /// The orders that the wallet sent.
    pub orders: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What was left out of it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Words>,
}

/// A whole run of the kit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// `wallet`.
    pub subject: String,
    /// The wallet's id.
    pub id: String,
    /// The kit's version.
    pub kit: String,
    /// Local time of its end.
    pub at: String,
    /// Whether all scenarios were played and passed.
    pub passed: bool,
    /// The scenarios, in their order.
    pub scenarios: Vec<Run>,
    /// Scenarios that were not chosen.
    pub not_played: Vec<String>,
    /// Whose key signs the report: its public half in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// What a report's signature is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is the report's, by the key that the report names.
    Good(Box<Report>),
    /// It is not the report's.
    WrongSignature,
    /// It is signed by another than was expected.
    OtherKey(String),
    /// The report cannot be read.
    Malformed(String),
}

impl Report {
    pub(crate) fn new(stage: &Stage, scenarios: Vec<Run>, not_played: Vec<String>) -> Self {
        Report {
            subject: "wallet".to_owned(),
            id: stage.wallet.to_string(),
            kit: env!("CARGO_PKG_VERSION").to_owned(),
            at: format!("{}+08:00", stage.now().to_string().replace(' ', "T")),
            passed: not_played.is_empty() && scenarios.iter().all(|run| run.passed),
            scenarios,
            not_played,
            signed_by: None,
        }
    }

    /// The report's bytes and their signature in hex, by the key of this seed.
    ///
    /// # Errors
    /// serde's; there is no case of it.
    pub fn sign(&mut self, seed: &[u8; 32]) -> Result<(String, String), serde_json::Error> {
        let key = SigningKey::from_bytes(seed);
        self.signed_by = Some(hex::encode(key.verifying_key().to_bytes()));
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        let signature = hex::encode(key.sign(json.as_bytes()).to_bytes());
        Ok((json, signature + "\n"))
    }

    /// For people, in both languages.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        let word = |passed: bool| if passed { "passed 通过" } else { "FAILED 未通过" };
        // Writing into a String does not fail.
        let _ = writeln!(text, "# Wallet `{}` 钱包认证报告: {}\n", self.id, word(self.passed));
        let _ = writeln!(text, "yikatong {}, {}\n", self.kit, self.at);
        let _ = writeln!(text, "| scenario 场景 | what 内容 | result 结果 |\n|---|---|---|");
        for run in &self.scenarios {
            let _ = writeln!(
                text,
                "| `{}` | {} {} | {} |",
                run.code,
                run.title.en,
                run.title.zh,
                word(run.passed)
            );
        }
        for code in &self.not_played {
            let _ = writeln!(text, "| `{code}` | | not played 未执行 |");
        }
        for (code, note) in self.scenarios.iter().filter_map(|run| Some((&run.code, run.note.as_ref()?))) {
            let _ = writeln!(text, "\n`{code}`: {} {}", note.en, note.zh);
        }
        for run in self.scenarios.iter().filter(|run| !run.passed) {
            let _ = writeln!(text, "\n## `{}`\n", run.code);
            for finding in &run.findings {
                let Words { en, zh } = &finding.words;
                let _ =
                    writeln!(text, "- `{}` {en} {zh}\n  {}", finding.code, finding.seen.replace('\n', " "));
            }
        }
        if let Some(key) = &self.signed_by {
            let _ = writeln!(text, "\nThe JSON of this report is signed by 签名公钥 `{key}`.");
        }
        text
    }
}

/// Checks the bytes of a report against their signature, and the key against the one that is expected.
#[must_use]
pub fn check(json: &[u8], signature: &str, expected: Option<&[u8; 32]>) -> Checked {
    let report: Report = match serde_json::from_slice(json) {
        Ok(report) => report,
        Err(error) => return Checked::Malformed(error.to_string()),
    };
    let named = report.signed_by.clone().unwrap_or_default();
    if expected.is_some_and(|expected| hex::encode(expected) != named) {
        return Checked::OtherKey(named);
    }
    let (mut key, mut bytes) = ([0; 32], [0; 64]);
    let read = hex::decode_to_slice(&named, &mut key).is_ok()
        && hex::decode_to_slice(signature.trim(), &mut bytes).is_ok();
    let Some(key) = read.then(|| VerifyingKey::from_bytes(&key).ok()).flatten() else {
        return Checked::WrongSignature;
    };
    match key.verify_strict(json, &Signature::from_bytes(&bytes)) {
        Ok(()) => Checked::Good(Box::new(report)),
        Err(_) => Checked::WrongSignature,
    }
}
