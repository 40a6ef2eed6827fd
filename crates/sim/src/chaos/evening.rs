//! Back ends (后台): files of taps that are sent until their receipt is there, and days that are closed. Some files hold
//! what no card ever proved.
//!
//! Invariant: a file's bytes are made once; it is sent again, the same, until the centre has said that it has it.

use centre::http::{Target, demo_signing_key, sign};
use clearing::cux::{self, CuxFile, FileName};
use model::{CityCode, Date, Entropy, Fen, TapRecord, TerminalId};
use serde_json::Value;

use super::judge::Broken;
use super::story::Who;
use super::wire::{Delivery, Sent};
use super::world::{World, below};
use crate::upload::planted;

/// Requests of back ends that are lost before the centre, or whose answer is lost, in ten thousand.
const LOST: u64 = 1500;
/// Requests at which the centre is killed.
const KILLS: u64 = 300;
/// Files in which a dishonest back end plants records.
const PLANTS: u64 = 2000;
const OK: u16 = 200;
const INTERNAL_ERROR: u16 = 500;

/// A city's back end.
pub(super) struct Office {
    city: CityCode,
    files: u16,
    pub(super) underway: Option<File>,
}

/// A file without a receipt.
pub(super) struct File {
    name: FileName,
    body: Vec<u8>,
    /// Records that readers have made.
    pub(super) honest: Vec<TapRecord>,
    marks: Vec<(TerminalId, u64)>,
    /// The judge has seen it taken.
    taken: bool,
    /// The centre was killed over it: it may be taken.
    pub(super) unsure: bool,
}

impl Office {
    pub(super) fn new(city: CityCode) -> Self {
        Office { city, files: 0, underway: None }
    }
}

impl World {
    /// A back end sends its file; a new one, if the last has its receipt.
    pub(super) fn office_acts(&mut self, index: usize) -> Result<(), Broken> {
        self.collect(index);
        let Some(office) = self.offices.get(index) else { return Ok(()) };
        let Some(file) = &office.underway else { return Ok(()) };
        let (keyid, path) = (format!("city:{}", office.city), format!("/v1/files/{}", file.name));
        let body = file.body.clone();
        let said =
            self.ask_centre(&keyid, "PUT", &path, body, |world, answer| world.file_taken(index, answer))?;
        if !said {
            return Ok(());
        }
        let Some(file) = self.offices.get_mut(index).and_then(|office| office.underway.take()) else {
            return Ok(());
        };
        for (terminal, through) in file.marks {
            let stand = self.stands.iter_mut().find(|stand| stand.terminal == terminal);
            let marked =
                stand.and_then(|stand| stand.reader.as_mut()).map(|reader| reader.mark_uploaded(through));
            if let Some(Err(error)) = marked {
                return Err(Broken {
                    rule: format!("a reader marks what was uploaded: {error}"),
                    who: Who::All,
                });
            }
        }
        Ok(())
    }

    /// Takes a city's batches together into a file, if none is under way.
    fn collect(&mut self, index: usize) {
        let plants = self.strikes(PLANTS);
        let now = self.time.now();
        let Some(office) = self.offices.get_mut(index).filter(|office| office.underway.is_none()) else {
            return;
        };
        let (mut honest, mut marks) = (Vec::new(), Vec::new());
        for stand in self.stands.iter().filter(|stand| stand.operator.city == office.city) {
            let Some(export) = stand.reader.as_ref().map(|reader| reader.batch().export()) else { continue };
            if !export.records.is_empty() {
                marks.push((stand.terminal, export.through));
                honest.extend(export.records);
            }
        }
        if honest.is_empty() {
            return;
        }
        office.files = office.files.saturating_add(1);
        let name = FileName::spends(office.city, now.date(), office.files);
        let mut records = honest.clone();
        if plants {
            records.extend(planted(&honest));
            self.story.fault(Who::All, "a back end plants records");
        }
        let body = cux::write_taps(&CuxFile::new(name, now, 1, records)).unwrap_or_default();
        self.story.tell(Who::All, format!("back end makes {name} of {} records", honest.len()));
        office.underway = Some(File { name, body, honest, marks, taken: false, unsure: false });
    }

    /// The centre's receipt has left it, whether it arrives or not.
    fn file_taken(&mut self, index: usize, answer: &[u8]) -> Result<(), Broken> {
        let receipt: Value = serde_json::from_slice(answer).unwrap_or_default();
        let day = receipt.get("day").and_then(Value::as_str).and_then(|day| day.parse::<Date>().ok());
        let paid = Fen::new(receipt.get("paid_fen").and_then(Value::as_i64).unwrap_or(-1));
        let Some(file) = self.offices.get_mut(index).and_then(|office| office.underway.as_mut()) else {
            return Ok(());
        };
        let Some(day) = day else {
            return Err(Broken { rule: format!("a receipt names its day: {receipt}"), who: Who::All });
        };
        file.unsure = false;
        if std::mem::replace(&mut file.taken, true) {
            return Ok(());
        }
        let (name, honest) = (file.name, file.honest.clone());
        let unproven = if self.wrong_readers && self.judge.owed(&honest) != paid.get() {
            self.unproven(name)?
        } else {
            Vec::new()
        };
        let unproven: Vec<&TapRecord> = unproven.into_iter().filter_map(|index| honest.get(index)).collect();
        self.judge.file_taken(&honest, day, paid, &unproven)
    }

    /// Which of a file's records the centre names as without their card's proof, from 0.
    fn unproven(&mut self, name: FileName) -> Result<Vec<usize>, Broken> {
        let path = format!("/v1/files/{name}/verdicts");
        let sent = self.signed(&format!("city:{}", name.from), "GET", &path, Vec::new())?;
        let Delivery::Answered(answer) = self.wire.state().deliver(&sent, false) else {
            return Ok(Vec::new());
        };
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let verdicts = said.get("not_paid").and_then(Value::as_array).cloned().unwrap_or_default();
        let differs = |verdict: &&Value| verdict.get("reason").and_then(Value::as_str) == Some("tac-differs");
        let line = |verdict: &Value| usize::try_from(verdict.get("line_no")?.as_u64()?.checked_sub(2)?).ok();
        Ok(verdicts.iter().filter(differs).filter_map(line).collect())
    }

    fn signed(
        &mut self,
        keyid: &str,
        method: &'static str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Sent, Broken> {
        let mut nonce = [0; 16];
        self.dice.fill(&mut nonce);
        let target = Target { method, path, query: None };
        let created = self.time.now().unix_seconds();
        let signed = sign(&demo_signing_key(keyid), keyid, &hex::encode(nonce), created, target, &body)
            .map_err(|error| Broken { rule: format!("a request can be signed: {error}"), who: Who::All })?;
        let headers = vec![
            ("content-digest".to_owned(), signed.content_digest),
            ("signature-input".to_owned(), signed.signature_input),
            ("signature".to_owned(), signed.signature),
            ("content-type".to_owned(), "application/octet-stream".to_owned()),
        ];
        Ok(Sent { method, path: path.to_owned(), headers, body })
    }

    /// A day is closed: today's, or yesterday's.
    pub(super) fn day_closes(&mut self) -> Result<(), Broken> {
        let back = i32::try_from(self.dice.below(2)).unwrap_or(0);
        let day = self.time.now().date().plus_days(back.saturating_neg());
        self.story.tell(Who::All, format!("day {day} is closed"));
        let path = format!("/v1/days/{day}/close");
        self.ask_centre(centre::CENTRE, "POST", &path, Vec::new(), |_, _| Ok(())).map(drop)
    }

    /// A signed request, perhaps doubled, on a link that may lose it. Whether a good answer came back; `taken` is told of
    /// the first one that left.
    fn ask_centre(
        &mut self,
        keyid: &str,
        method: &'static str,
        path: &str,
        body: Vec<u8>,
        taken: impl Fn(&mut World, &[u8]) -> Result<(), Broken>,
    ) -> Result<bool, Broken> {
        if self.strikes(LOST) {
            self.story.fault(Who::All, "back end's request lost");
            return Ok(false);
        }
        let sent = self.signed(keyid, method, path, body)?;
        let dies = self.strikes(KILLS);
        let delivery = self.wire.state().deliver(&sent, dies);
        let answer = match delivery {
            Delivery::Answered(answer) => answer,
            Delivery::Down => return Ok(false),
            Delivery::Killed => {
                self.story.fault(Who::All, "centre killed at a back end's request");
                self.centre_dies()?;
                for file in self.offices.iter_mut().filter_map(|office| office.underway.as_mut()) {
                    file.unsure |= !file.taken;
                }
                return Ok(false);
            }
        };
        if answer.status == INTERNAL_ERROR {
            let said = String::from_utf8_lossy(&answer.body);
            return Err(Broken {
                rule: format!("no request makes the centre fail: {path}: {said}"),
                who: Who::All,
            });
        }
        if answer.status == OK {
            taken(self, &answer.body)?;
        }
        self.look_at_centre()?;
        if self.strikes(LOST) {
            self.story.fault(Who::All, "centre's answer to a back end lost");
            return Ok(false);
        }
        Ok(answer.status == OK)
    }

    /// A wallet's request that was under way arrives at last; nobody waits for its answer.
    pub(super) fn late_arrives(&mut self) -> Result<(), Broken> {
        let length = self.wire.state().late.len();
        if length == 0 {
            return Ok(());
        }
        let index = below(&mut self.dice, length);
        let mut state = self.wire.state();
        let sent = state.late.swap_remove(index);
        let delivery = state.deliver(&sent, false);
        drop(state);
        let status = match delivery {
            Delivery::Answered(answer) => answer.status,
            _ => 0,
        };
        self.story.tell(Who::All, format!("late {} {} arrives: {status}", sent.method, sent.path));
        self.look_at_centre()
    }
}
