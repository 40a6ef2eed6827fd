//! Whose card it is, and whether this reader takes it today.

use card::command::{BinaryPlace, ReadBinary};
use card::layout::{Fci, PublicInfo, Sfi};
use smartcard::{Response, Status};

use super::{CardStage, OnRecall, Step, Tap, Terms, parsed};
use crate::refusal::Refusal;

/// SELECT is sent.
pub(super) struct Selecting;
/// The card did not say whose it is in its answer to SELECT; file 0015 is asked for.
pub(super) struct ReadingInfo;
/// The card has said whose it is.
pub(super) struct Selected {
    pub(super) info: PublicInfo,
}

/// Length of file 0015.
const INFO: u8 = 30;

impl<'v> Tap<'v, Selecting> {
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let terms = self.terms;
        let Some(answer) = answer else { return terms.refuse(Refusal::CardLeft, None, None) };
        let info = Fci::parse(&answer.data).and_then(|fci| fci.public_info());
        match (answer.status, info) {
            (Status::OK, Some(info)) => terms.selected(info),
            (Status::OK, None) => {
                let read = ReadBinary { place: BinaryPlace::Sfi(Sfi::PUBLIC_INFO, 0), length: INFO };
                terms.card(&read, CardStage::ReadingInfo(Tap { terms, stage: ReadingInfo }))
            }
            (status @ (Status::NOT_SUPPORTED | Status::FILE_INVALIDATED | Status::APP_LOCKED), info) => {
                terms.refuse(Refusal::Blocked, info.map(|info| info.number), Some(status))
            }
            (status, _) => terms.refuse(Refusal::NotOurCard, None, Some(status)),
        }
    }
}

impl<'v> Tap<'v, ReadingInfo> {
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let terms = self.terms;
        let Some(answer) = answer else { return terms.refuse(Refusal::CardLeft, None, None) };
        let file = parsed::<ReadBinary>(&answer);
        match file.and_then(|file| PublicInfo::parse(file.first_chunk()?)) {
            Some(info) => terms.selected(info),
            None => terms.refuse(Refusal::NotOurCard, None, Some(answer.status)),
        }
    }
}

impl<'v> Terms<'v> {
    /// A torn tap comes before everything else, also before the card is judged.
    fn selected(self, info: PublicInfo) -> Step<'v> {
        let then = OnRecall(Tap { terms: self, stage: Selected { info } });
        Step::Recall { issuer: info.city, card: info.number, then }
    }
}

impl<'v> Tap<'v, Selected> {
    /// Judges the card, then goes on with what the passenger wants.
    pub(super) fn admit(self) -> Step<'v> {
        match self.refusal() {
            Some(why) => self.terms.refuse(why, Some(self.stage.info.number), None),
            None => self.ask(),
        }
    }

    fn refusal(&self) -> Option<Refusal> {
        let Terms { settings, acceptance, deny, at, .. } = self.terms;
        let info = &self.stage.info;
        let today = at.date();
        if info.is_test() && !settings.under_test {
            Some(Refusal::TestCard)
        } else if info.enabled == 0 {
            Some(Refusal::NotEnabled)
        } else if today < info.start {
            Some(Refusal::NotYetValid)
        } else if today > info.expiry {
            Some(Refusal::Expired)
        } else if !acceptance.takes(info.city, today) || !settings.reaches(info.city) {
            Some(Refusal::NotAcceptedHere)
        } else if deny.denies(info.city, info.number) {
            Some(Refusal::Denied)
        } else {
            None
        }
    }
}
