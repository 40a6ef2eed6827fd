//! What a job is asked to do, and what it reports.
//!
//! Invariant: a [`Reservation`] is complete: with it alone, a later contact with the card settles what an
//! unanswered CREDIT FOR LOAD did.

use std::fmt;

use card::command::Pin;
use card::{Personalisation, PurseView};
use keys::{CardRef, LoadOffer, LoadProof, PurchaseRequest};
use minicbor::{Decode, Encode};
use model::registry::{ElementFacts, Phone};
use model::{CardNumber, CardTime, PurseFen, Tac, TerminalId};
use smartcard::Status;
use smartcard::gp::Aid;

/// One secure element, and the dialect its model speaks.
#[derive(Clone, Debug)]
pub struct Element {
    /// The element's identity, as its agent gives it.
    pub se_id: String,
    /// The phone model.
    pub profile: Phone,
}

impl Element {
    /// What the TSM must know of the element.
    #[must_use]
    pub fn facts(&self) -> &ElementFacts {
        &self.profile.element
    }
}

/// A city card for a phone (空中开卡).
#[derive(Clone, Debug)]
pub struct IssuePlan {
    /// Where to.
    pub element: Element,
    /// The card's keys are derived from this.
    pub card: CardRef,
    /// The instance's name on the element.
    pub instance: Aid,
    /// Everything that is written into the purse, but its keys.
    pub personalisation: Personalisation,
    /// Other city cards on the element: made inactive, so that readers see the new one.
    pub others: Vec<Aid>,
    /// A card of this city that is, or may be, on the element may hold value: whatever stands under the instance's name
    /// stays there, unfinished or not, since only the phone says which.
    pub may_hold_value: bool,
}

/// Value for a purse (圈存).
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// The card that is meant; `None` for whatever plastic card is held to the phone.
    pub card: Option<CardNumber>,
    /// The instance's name.
    pub aid: Aid,
    /// How much.
    pub amount: PurseFen,
    /// The most the purse may hold.
    pub purse_limit: PurseFen,
    /// The load point's number, part of every MAC; its last four bytes are drawn anew for each exchange.
    pub terminal: TerminalId,
    /// The card's PIN, if its city's profile asks for one before a load.
    pub pin: Option<Pin>,
    /// A load of this card that is in doubt: settled before anything else.
    pub unsettled: Option<Unsettled>,
}

/// A load that is in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// What was reserved before the bytes left.
    pub reservation: Reservation,
    /// It is this very order, resumed: if the card has the value, the job is done.
    pub same_order: bool,
}

/// A returned card's whole value, taken off it by a purchase (退卡).
#[derive(Clone, Debug)]
pub struct DrainPlan {
    /// The card that is meant.
    pub card: CardRef,
    /// The instance's name.
    pub aid: Aid,
    /// Whether the card's profile wants its authentication id in MAC1.
    pub auth_id: bool,
    /// The draw-down point's number; its last four bytes are drawn anew for each exchange.
    pub terminal: TerminalId,
    /// The draw-down point's running number: never the same twice for one order.
    pub terminal_seq: u32,
    /// The card's PIN, if its profile asks for one before a load; used only to settle.
    pub pin: Option<Pin>,
    /// A load of this card that is in doubt: settled first.
    pub unsettled: Option<Reservation>,
    /// This order's own purchase, in doubt: settled first.
    pub begun: Option<Drain>,
    /// Taps that were proven before this contact took what the purchase in doubt would have taken: it did not happen,
    /// unless the card was loaded since.
    pub overspent: bool,
}

/// A look at a card: balance and logs.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// The instance's name.
    pub aid: Aid,
    /// The card that is meant; `None` for whatever plastic card is held to the phone.
    pub card: Option<CardNumber>,
    /// A load of this card that is in doubt: settled by the look.
    pub unsettled: Option<Reservation>,
    /// The card's PIN, if its city's profile asks for one before a load; used only to settle.
    pub pin: Option<Pin>,
    /// The load point that asks; only its first two bytes stay the same.
    pub terminal: TerminalId,
}

/// An empty card to be taken off a phone.
#[derive(Clone, Debug)]
pub struct DeletePlan {
    /// Where from.
    pub element: Element,
    /// The card.
    pub card: CardRef,
    /// The instance's name.
    pub instance: Aid,
    /// The card's PIN, if its profile asks for one before a load: the proof that it is empty is a load's offer.
    pub pin: Option<Pin>,
    /// The load point that asks; only its first two bytes stay the same.
    pub terminal: TerminalId,
    /// The card was never on a phone for good and never offered a load: it may be there without its data and keys, and
    /// need then prove nothing.
    pub unfinished: bool,
}

/// The card that readers shall see.
#[derive(Clone, Debug)]
pub struct ActivatePlan {
    /// Where.
    pub element: Element,
    /// The instance to switch on.
    pub instance: Aid,
    /// The instances to switch off.
    pub others: Vec<Aid>,
}

/// A card to be locked on its element, or unlocked (挂失, 解挂).
#[derive(Clone, Debug)]
pub struct LockPlan {
    /// Where.
    pub element: Element,
    /// The card.
    pub card: CardNumber,
    /// The instance's name.
    pub instance: Aid,
    /// Lock; else unlock.
    pub lock: bool,
    /// A load of this card that is in doubt: asked after before a lock.
    pub unsettled: Option<Reservation>,
    /// The card's PIN, if its city's profile asks for one before a load; used only to settle.
    pub pin: Option<Pin>,
    /// The load point that asks; only its first two bytes stay the same.
    pub terminal: TerminalId,
}

/// How an element says that an instance stands. The phone relays it, and nothing in it proves that it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockReport {
    /// Not selectable until it is unlocked.
    Locked,
    /// As before it was locked.
    Unlocked,
    /// There is no such instance, so there is nothing to lock.
    Gone,
}

/// What is written down before CREDIT FOR LOAD leaves: enough to prove later what the card did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Reservation {
    #[cbor(n(0), with = "minicbor::bytes")]
    card: [u8; 8],
    #[n(1)]
    city: u16,
    #[n(2)]
    balance: u32,
    #[n(3)]
    counter: u16,
    #[n(4)]
    amount: u32,
    #[cbor(n(5), with = "minicbor::bytes")]
    terminal: [u8; 6],
    #[n(6)]
    at: i64,
}

impl Reservation {
    /// From the card's offer and the load that answers it. `None` if the purse would not hold the sum.
    #[must_use]
    pub fn new(
        card: &CardRef,
        offer: &LoadOffer,
        amount: PurseFen,
        terminal: TerminalId,
        at: CardTime,
    ) -> Option<Self> {
        offer.balance.plus(amount)?;
        Some(Reservation {
            card: card.number.bytes(),
            city: card.city.get(),
            balance: offer.balance.get(),
            counter: offer.counter,
            amount: amount.get(),
            terminal: terminal.bytes(),
            at: at.as_seconds(),
        })
    }

    /// Which card. `None` only for bytes that this program did not write.
    #[must_use]
    pub fn card(&self) -> Option<CardRef> {
        Some(CardRef { city: model::CityCode::new(self.city)?, number: CardNumber::new(self.card) })
    }

    /// The purse before the load.
    #[must_use]
    pub fn balance_before(&self) -> PurseFen {
        PurseFen::try_from(self.balance).unwrap_or(PurseFen::MAX)
    }

    /// The online counter before the load.
    #[must_use]
    pub fn counter(&self) -> u16 {
        self.counter
    }

    /// How much.
    #[must_use]
    pub fn amount(&self) -> PurseFen {
        PurseFen::try_from(self.amount).unwrap_or(PurseFen::MAX)
    }

    /// What the card's TAC must prove. `None` only for bytes that this program did not write.
    #[must_use]
    pub fn proof(&self) -> Option<LoadProof> {
        Some(LoadProof {
            new_balance: self.balance_before().plus(self.amount())?,
            counter: self.counter,
            amount: self.amount(),
            terminal: TerminalId::new(self.terminal),
            at: CardTime::from_seconds(self.at)?,
        })
    }
}

/// What is written down before DEBIT FOR PURCHASE leaves to draw a card down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Drain {
    #[cbor(n(0), with = "minicbor::bytes")]
    card: [u8; 8],
    #[n(1)]
    city: u16,
    #[n(2)]
    amount: u32,
    /// Offline, before the purchase.
    #[n(3)]
    counter: u16,
    /// Online, at the same time: it tells whether the card was loaded since.
    #[n(4)]
    online: u16,
    #[cbor(n(5), with = "minicbor::bytes")]
    terminal: [u8; 6],
    #[n(6)]
    terminal_seq: u32,
    #[n(7)]
    at: i64,
}

impl Drain {
    /// From the card's two counters and the purchase that takes its whole value.
    #[must_use]
    pub fn new(card: &CardRef, counter: u16, online: u16, purchase: &PurchaseRequest) -> Self {
        Drain {
            card: card.number.bytes(),
            city: card.city.get(),
            amount: purchase.amount.get(),
            counter,
            online,
            terminal: purchase.terminal.bytes(),
            terminal_seq: purchase.terminal_seq,
            at: purchase.at.as_seconds(),
        }
    }

    /// Which card. `None` only for bytes that this program did not write.
    #[must_use]
    pub fn card(&self) -> Option<CardRef> {
        Some(CardRef { city: model::CityCode::new(self.city)?, number: CardNumber::new(self.card) })
    }

    /// The whole value.
    #[must_use]
    pub fn amount(&self) -> PurseFen {
        PurseFen::try_from(self.amount).unwrap_or(PurseFen::MAX)
    }

    /// The offline counter before the purchase.
    #[must_use]
    pub fn counter(&self) -> u16 {
        self.counter
    }

    /// The online counter at that time.
    #[must_use]
    pub fn online(&self) -> u16 {
        self.online
    }

    /// Names the purchase within its order.
    #[must_use]
    pub fn terminal_seq(&self) -> u32 {
        self.terminal_seq
    }

    /// What the card's TAC must prove. `None` only for bytes that this program did not write.
    #[must_use]
    pub fn proof(&self) -> Option<PurchaseRequest> {
        Some(PurchaseRequest {
            amount: self.amount(),
            terminal: TerminalId::new(self.terminal),
            terminal_seq: self.terminal_seq,
            at: CardTime::from_seconds(self.at)?,
        })
    }
}

/// Why a job stopped without doing what it was asked. Nothing has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalCode {
    /// No application of ours where one was expected.
    NotOurCard,
    /// Another card than the one meant.
    OtherCard,
    /// The card, or its application, is blocked.
    Blocked,
    /// The purse would hold more than its limit.
    OverLimit,
    /// The card wants a PIN that we do not have.
    Pin,
    /// The element's keys are not the ones its profile names. One attempt, never a second.
    WrongKeys,
    /// The element does not speak as its phone's profile says.
    OtherProfile,
    /// No room on the element.
    NoRoom,
    /// A card of this city is already there.
    AlreadyThere,
    /// The card holds value; it cannot be taken off.
    NotEmpty,
    /// A load of this card is in doubt and the card did not settle it.
    StillInDoubt,
    /// The card's offer, or its proof, is not genuine.
    NotGenuine,
    /// The card refused a step.
    CardRefused,
    /// The card's answer is not what the standard says.
    BadAnswer,
    /// The card is suspended: it was reported lost.
    Suspended,
    /// Our own keys or registry do not cover this card.
    Ours,
}

/// A refusal with the step at which it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub code: RefusalCode,
    /// The step, by its command's standard name.
    pub at: &'static str,
    /// What the card said, if it said anything.
    pub status: Option<Status>,
}

impl RefusalCode {
    /// Stable, for machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RefusalCode::NotOurCard => "card-not-ours",
            RefusalCode::OtherCard => "card-is-another",
            RefusalCode::Blocked => "card-blocked",
            RefusalCode::OverLimit => "purse-over-limit",
            RefusalCode::Pin => "card-pin-refused",
            RefusalCode::WrongKeys => "element-keys-wrong",
            RefusalCode::OtherProfile => "element-not-as-profiled",
            RefusalCode::NoRoom => "element-full",
            RefusalCode::AlreadyThere => "card-already-there",
            RefusalCode::NotEmpty => "card-not-empty",
            RefusalCode::StillInDoubt => "card-still-in-doubt",
            RefusalCode::NotGenuine => "card-not-genuine",
            RefusalCode::CardRefused => "card-refused",
            RefusalCode::BadAnswer => "card-bad-answer",
            RefusalCode::Suspended => "card-suspended",
            RefusalCode::Ours => "centre-not-equipped",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.code.as_str(), self.at)?;
        match self.status {
            Some(status) => write!(f, ": {status}"),
            None => Ok(()),
        }
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The card is on the phone, personalised and active.
    Issued,
    /// The card proved the load.
    Loaded {
        /// What was reserved.
        reservation: Reservation,
        /// The proof.
        tac: Tac,
    },
    /// The card refused CREDIT FOR LOAD: the value is not on it.
    LoadRefused {
        /// What was reserved.
        reservation: Reservation,
        /// What the card said.
        refusal: Refusal,
    },
    /// No answer to CREDIT FOR LOAD, or one that proves nothing: in doubt until the card is seen again.
    Unknown {
        /// What was reserved.
        reservation: Reservation,
    },
    /// The card proved that its whole value was taken off; `None`: it held none.
    Drained {
        /// The purchase and the proof.
        proof: Option<(Drain, Tac)>,
    },
    /// No answer to DEBIT FOR PURCHASE, or one that proves nothing: in doubt until the card is seen again.
    DrainUnknown,
    /// What the card says of itself.
    Read(PurseView),
    /// The card is off the phone.
    Deleted,
    /// Readers see the card.
    Activated,
    /// The element says how the instance stands.
    Lock(LockReport),
    /// Not done; nothing has moved.
    Refused(Refusal),
    /// Silence before any money was at risk: the job may simply be started again.
    Interrupted,
}
