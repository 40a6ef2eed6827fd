//! What the passenger wants, against what the card remembers: gates, the fare, the record to write.

use card::command::{GetMessage, PurchaseKind, ReadRecord, RecordPlace, Records};
use card::layout::{GatePass, LastRide, PublicInfo, RailRecord, RailTrip, RideRecord, Sfi};
use model::registry::Flow;
use model::{CardTime, Label, Mode, OperatorId, PurseFen};
use smartcard::Response;

use super::admit::Selected;
use super::{CardStage, Request, Step, Tap, Terms, parsed, pay};
use crate::fare::{self, FareError, Price, Ride, RideBefore};
use crate::place;
use crate::refusal::Refusal;

/// Record 02 is asked for.
pub(super) struct ReadingRail {
    info: PublicInfo,
}

/// Record 03 is asked for.
pub(super) struct ReadingRide {
    info: PublicInfo,
    rail: Option<RailRecord>,
}

/// What the debit will be.
pub(super) struct Plan {
    pub(super) info: PublicInfo,
    pub(super) kind: PurchaseKind,
    pub(super) price: Price,
    /// The least that the purse must hold.
    pub(super) minimum: PurseFen,
    /// Tag and bytes of the record to write.
    pub(super) write: Option<(u8, Vec<u8>)>,
    pub(super) stop_in: Label,
    pub(super) stop_out: Label,
    pub(super) entered_at: Option<CardTime>,
}

/// Which of the card's records a tap looks at.
struct Needs {
    rail: bool,
    ride: bool,
}

impl<'v> Tap<'v, Selected> {
    /// Reads what the card remembers, as far as it matters here.
    pub(super) fn ask(self) -> Step<'v> {
        let Tap { terms, stage: Selected { info } } = self;
        let gates = terms.settings.operator.flow == Flow::EntryExit;
        if gates == matches!(terms.request, Request::Pay { .. }) {
            return terms.refuse(Refusal::WrongRequest, Some(info.number), None);
        }
        let next = Tap { terms, stage: ReadingRail { info } };
        if terms.needs().rail {
            return terms.card(&read(RailRecord::TAG), CardStage::ReadingRail(next));
        }
        next.go_on(None)
    }
}

impl<'v> Tap<'v, ReadingRail> {
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Some(answer) = answer else {
            return self.terms.refuse(Refusal::CardLeft, Some(self.stage.info.number), None);
        };
        // A record in another city's form is as good as none.
        self.go_on(parsed::<ReadRecord>(&answer).and_then(|record| RailRecord::parse(&record)))
    }

    fn go_on(self, rail: Option<RailRecord>) -> Step<'v> {
        let Tap { terms, stage: ReadingRail { info } } = self;
        let next = Tap { terms, stage: ReadingRide { info, rail } };
        if terms.needs().ride {
            return terms.card(&read(RideRecord::TAG), CardStage::ReadingRide(next));
        }
        next.go_on(None)
    }
}

impl<'v> Tap<'v, ReadingRide> {
    pub(super) fn answer(self, answer: Option<Response>) -> Step<'v> {
        let Some(answer) = answer else {
            return self.terms.refuse(Refusal::CardLeft, Some(self.stage.info.number), None);
        };
        self.go_on(parsed::<ReadRecord>(&answer).and_then(|record| RideRecord::parse(&record)))
    }

    fn go_on(self, ride: Option<RideRecord>) -> Step<'v> {
        let Tap { terms, stage: ReadingRide { info, rail } } = self;
        let plan = match terms.request {
            Request::Pay { list } => terms.pay(info, rail, ride, list),
            Request::Enter => terms.enter(info, rail),
            Request::Leave { list } => terms.leave(info, rail, ride, list),
        };
        match plan {
            Ok(plan) => {
                let next = Tap { terms, stage: pay::AskingAuthId { plan } };
                terms.card(&GetMessage, CardStage::AskingAuthId(next))
            }
            Err(why) => terms.refuse(why, Some(info.number), None),
        }
    }
}

impl Terms<'_> {
    fn needs(&self) -> Needs {
        let operator = &self.settings.operator;
        let from = operator.transfer.as_ref().map(|transfer| transfer.from.as_slice()).unwrap_or_default();
        match self.request {
            Request::Pay { .. } => Needs {
                rail: from.iter().any(|mode| !pays_at_once(*mode)),
                ride: pays_at_once(operator.mode) || !from.is_empty(),
            },
            Request::Enter => Needs { rail: true, ride: false },
            Request::Leave { .. } => Needs { rail: true, ride: !from.is_empty() },
        }
    }

    /// A ride that is paid at once: writes record 03, where the card has it, so that others see the transfer.
    fn pay(
        &self,
        info: PublicInfo,
        rail: Option<RailRecord>,
        ride: Option<RideRecord>,
        list: Option<PurseFen>,
    ) -> Result<Plan, Refusal> {
        if ride.is_some_and(|ride| ride.locked) {
            return Err(Refusal::Blocked);
        }
        let price = self.price(self.at, None, list, last_ride(rail, ride, self.line()))?;
        let write = ride.filter(|_| pays_at_once(self.settings.operator.mode)).map(|ride| {
            let last = Some(self.ride_now(ride.last, price));
            (RideRecord::TAG, RideRecord { last, ..ride }.to_bytes().to_vec())
        });
        let kind = if write.is_some() { PurchaseKind::Compound } else { PurchaseKind::Plain };
        let stop_in = self.settings.stop.clone();
        let minimum = PurseFen::ZERO;
        Ok(Plan { info, kind, price, minimum, write, stop_in, stop_out: Label::default(), entered_at: None })
    }

    /// Goes in: an entry that was never left counts only as long as a trip may last.
    fn enter(&self, info: PublicInfo, rail: Option<RailRecord>) -> Result<Plan, Refusal> {
        let rail = open(rail)?;
        if let RailTrip::Entered { entry } = rail.trip
            && !self.is_too_long(entry)
        {
            return Err(Refusal::AlreadyEntered);
        }
        let trip = RailTrip::Entered { entry: self.pass() };
        Ok(Plan {
            info,
            kind: PurchaseKind::Compound,
            price: Price { list: PurseFen::ZERO, pay: PurseFen::ZERO, transferred: false },
            minimum: self.settings.operator.minimum_balance_fen,
            write: Some((RailRecord::TAG, RailRecord { trip, ..rail }.to_bytes().to_vec())),
            stop_in: self.settings.stop.clone(),
            stop_out: Label::default(),
            entered_at: Some(self.at),
        })
    }

    /// Goes out and pays for the way from where the card says it went in.
    fn leave(
        &self,
        info: PublicInfo,
        rail: Option<RailRecord>,
        ride: Option<RideRecord>,
        list: Option<PurseFen>,
    ) -> Result<Plan, Refusal> {
        let rail = open(rail)?;
        let operator = &self.settings.operator;
        let entry = match rail.trip {
            RailTrip::Entered { entry } if entry.operator == operator.id => entry,
            _ => return Err(Refusal::NotEntered),
        };
        if self.is_too_long(entry) {
            return Err(Refusal::Overstayed);
        }
        let stop_in = place::stop_label(operator, entry.stop);
        let metres = operator.distance_m(&stop_in, &self.settings.stop);
        let price = self.price(entry.at, metres, list, last_ride(None, ride, self.line()))?;
        let trip = RailTrip::Left { entry, exit: self.pass(), fare: price.pay };
        Ok(Plan {
            info,
            kind: PurchaseKind::Compound,
            price,
            minimum: PurseFen::ZERO,
            write: Some((RailRecord::TAG, RailRecord { trip, ..rail }.to_bytes().to_vec())),
            stop_in,
            stop_out: self.settings.stop.clone(),
            entered_at: Some(entry.at),
        })
    }

    fn price(
        &self,
        began: CardTime,
        metres: Option<u32>,
        named: Option<PurseFen>,
        before: Option<RideBefore>,
    ) -> Result<Price, Refusal> {
        let ride = Ride { began, at: self.at, metres, named, before };
        fare::price(&self.settings.operator, &ride).map_err(|_: FareError| Refusal::NoFare)
    }

    /// The line that this reader is on, as the card numbers it.
    fn line(&self) -> (OperatorId, u16) {
        let operator = &self.settings.operator;
        (operator.id, place::line_number(operator, &self.settings.line))
    }

    /// Whether a trip that began there cannot be going on any more, or lies in the future.
    fn is_too_long(&self, entry: GatePass) -> bool {
        !(0..=self.settings.longest_trip_s).contains(&self.at.seconds_since(entry.at))
    }

    fn pass(&self) -> GatePass {
        let settings = self.settings;
        GatePass {
            city: settings.operator.city,
            operator: settings.operator.id,
            line: place::line_number(&settings.operator, &settings.line),
            stop: place::stop_number(&settings.operator, &settings.stop),
            terminal: settings.terminal,
            at: self.at,
        }
    }

    fn ride_now(&self, before: Option<LastRide>, price: Price) -> LastRide {
        let settings = self.settings;
        let so_far = before.map_or(0, |ride| ride.transfers);
        LastRide {
            mode: settings.operator.mode,
            at: self.at,
            city: settings.operator.city,
            operator: settings.operator.id,
            line: place::line_number(&settings.operator, &settings.line),
            terminal: settings.terminal,
            paid: price.pay,
            transfers: if price.transferred { so_far.saturating_add(1) } else { 0 },
        }
    }
}

fn read(tag: u8) -> ReadRecord {
    ReadRecord { file: Sfi::COMPOUND, records: Records::One(RecordPlace::Tag(tag)), length: 0 }
}

/// Rides of these modes are paid with one tap and remembered in record 03.
const fn pays_at_once(mode: Mode) -> bool {
    matches!(mode, Mode::Bus | Mode::Ferry | Mode::Taxi)
}

fn open(rail: Option<RailRecord>) -> Result<RailRecord, Refusal> {
    let rail = rail.ok_or(Refusal::NoRecord)?;
    if rail.locked { Err(Refusal::Blocked) } else { Ok(rail) }
}

/// The later of the two rides that the card remembers: only the very last one can be transferred from.
/// The newest ride on the card, on whichever record, as a reader on `line` (of an operator, by number) sees it.
fn last_ride(
    rail: Option<RailRecord>,
    ride: Option<RideRecord>,
    line: (OperatorId, u16),
) -> Option<RideBefore> {
    let same = |operator, number| number != 0 && (operator, number) == line;
    let left = rail.and_then(|rail| match rail.trip {
        RailTrip::Left { exit, .. } => Some(RideBefore {
            mode: mode_of(exit.operator),
            city: exit.city,
            ended: exit.at,
            same_line: same(exit.operator, exit.line),
        }),
        _ => None,
    });
    let paid = (ride.and_then(|ride| ride.last)).map(|ride| RideBefore {
        mode: ride.mode,
        city: ride.city,
        ended: ride.at,
        same_line: same(ride.operator, ride.line),
    });
    left.into_iter().chain(paid).max_by_key(|ride| ride.ended)
}

/// Digits 5 and 6 of an operator's number are its industry.
fn mode_of(operator: OperatorId) -> Mode {
    let industry = operator.get() / 100 % 100;
    u8::try_from(industry).ok().and_then(Mode::from_code).unwrap_or(Mode::Metro)
}
