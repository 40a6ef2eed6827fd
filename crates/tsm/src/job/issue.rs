//! Issue over the air (空中开卡): a security domain of ours, a purse in it, the card's own keys in the purse, and
//! the purse in front of the readers.
//!
//! Standard: GlobalPlatform INSTALL, PUT KEY, STORE DATA over the element's secure channel; Amendment C SET STATUS (globalplatform.md
//! sections 1 and 2).
//! Invariant: started anew at any point, the job looks at what is there and goes on; an instance is either
//! personalised with this very card or made anew. The element's keys are tried once.

use card::command::SelectApplication;
use card::personalisation::BLOCK;
use keys::{ChannelOwner, Scp};
use model::registry::Quirk;
use smartcard::gp::{
    Aid, Delete, InitializeUpdate, InitializeUpdateAnswer, Install, InstallApplication, InstallParameters,
    Lengths, Level, Privilege, Privileges, PutKey, PutKeyAnswer, Select, StoreData,
};
use smartcard::scp::{NotAuthenticated, Opening, Session};
use smartcard::{Apdu, Command, Response, Status};

use super::{Answers, Env, Next, Stop, activate, refused, refused_with};
use crate::plan::{ActivatePlan, Element, IssuePlan, RefusalCode, Report};

/// The name of our security domain, the same on every element.
pub(super) const DOMAIN_AID: Aid = Aid::of([0xA0, 0, 0, 0, 0x03, 0x86, 0x98, 0x07, 0x00, 0x53, 0x44]);
/// Versions of our own keys in our security domain: the first that the issuer's own keys do not have, so that the version
/// alone tells whose keys a domain opens with.
const DOMAIN_KEY_VERSIONS: [u8; 2] = [0x21, 0x22];

#[derive(Debug)]
pub(super) struct Issue {
    plan: IssuePlan,
    step: Step,
}

#[derive(Debug)]
enum Step {
    New,
    Looking { opening: Opening },
    OpeningDomain { opening: Opening, stale: bool, issuer: Box<Session> },
    Filling { first: First, blocks: usize, session: Box<Session> },
    Activating(Box<activate::Activate>),
}

/// What stands before the purse in the script that fills the domain.
#[derive(Debug)]
enum First {
    Nothing,
    /// What the domain says when it has our keys.
    Keys(PutKeyAnswer),
    /// A purse that was left unfinished goes.
    Delete,
}

enum Found {
    /// No instance of that name.
    Nothing,
    /// An instance that was never personalised.
    Unfinished,
    /// This very card.
    Ours,
}

impl Issue {
    pub(super) fn new(plan: IssuePlan) -> Self {
        Issue { plan, step: Step::New }
    }

    /// Is the purse there already, and whose? And a channel to the issuer's domain.
    pub(super) fn start(&mut self, env: &mut Env<'_>) -> Next {
        let opening = open(&self.plan.element, env);
        let look = [
            SelectApplication { name: self.plan.instance.as_bytes().to_vec() }.to_apdu(),
            Select::by_name(self.plan.element.facts().isd_aid.as_bytes()).to_apdu(),
            opening.command().to_apdu(),
        ];
        self.step = Step::Looking { opening };
        Next::Run(look.to_vec())
    }

    pub(super) fn answers(&mut self, answers: &mut Answers<'_>, env: &mut Env<'_>) -> Result<Next, Stop> {
        match std::mem::replace(&mut self.step, Step::New) {
            Step::New => Err(Stop::Silence),
            Step::Looking { opening } => self.looked(opening, answers, env),
            Step::OpeningDomain { opening, stale, mut issuer } => {
                self.domain_opened(opening, stale, &mut issuer, answers, env)
            }
            Step::Filling { first, blocks, mut session } => {
                self.filled(&first, blocks, &mut session, answers)
            }
            Step::Activating(mut job) => {
                let next = job.answers(answers, env)?;
                Ok(self.activating(*job, next))
            }
        }
    }

    fn looked(
        &mut self,
        opening: Opening,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        let stale = match self.found(answers.any()?)? {
            Found::Ours => return Ok(self.activate(env)),
            Found::Unfinished => true,
            Found::Nothing => false,
        };
        answers.ok("SELECT of the issuer's security domain")?;
        let answer = answers.parsed::<InitializeUpdate>("INITIALIZE UPDATE")?;
        let (authenticate, mut session) =
            authenticate(opening, &answer, &issuer(&self.plan.element), &self.plan.element, env)?;
        let delete =
            stale.then(|| session.wrap(&Delete { aid: self.plan.instance, related: false }.to_apdu()));
        let domain = session.wrap(&self.domain().to_apdu_with(self.lengths()));
        let opening = open(&self.plan.element, env);
        let select = Select::by_name(DOMAIN_AID).to_apdu();
        let update = opening.command().to_apdu();
        self.step = Step::OpeningDomain { opening, stale, issuer: Box::new(session) };
        Ok(Next::Run([authenticate].into_iter().chain(delete).chain([domain, select, update]).collect()))
    }

    /// What stands under the instance's name. A card of somebody is never touched, blocked or not. That it is nobody's is
    /// the phone's word, which is not enough where a card with value may be.
    fn found(&self, selected: &Response) -> Result<Found, Stop> {
        let status = selected.status;
        if status == Status::FILE_NOT_FOUND {
            return Ok(Found::Nothing);
        }
        let info = SelectApplication::parse_response(&selected.data).and_then(|fci| fci.public_info());
        match info {
            Some(info) if info.number != self.plan.card.number => {
                Err(refused_with(RefusalCode::AlreadyThere, "SELECT", status))
            }
            Some(_) if status.is_ok() => Ok(Found::Ours),
            None if status.is_ok() && self.plan.may_hold_value => {
                Err(refused_with(RefusalCode::AlreadyThere, "SELECT", status))
            }
            None if status.is_ok() => Ok(Found::Unfinished),
            _ => Err(refused_with(RefusalCode::Blocked, "SELECT", status)),
        }
    }

    /// Our security domain, with the right to manage what is inside it.
    fn domain(&self) -> Install {
        let facts = self.plan.element.facts();
        Install::Application(InstallApplication {
            load_file: name(&facts.ssd_package),
            module: name(&facts.ssd_module),
            instance: DOMAIN_AID,
            privileges: Privileges::of(&[Privilege::SecurityDomain, Privilege::AuthorizedManagement]),
            parameters: InstallParameters::default(),
            selectable: true,
        })
    }

    fn key_version(&self) -> u8 {
        let [usual, other] = DOMAIN_KEY_VERSIONS;
        if self.plan.element.facts().key_version == usual { other } else { usual }
    }

    /// How the element wants the length of INSTALL's parameters.
    fn lengths(&self) -> Lengths {
        let one_byte = self.plan.element.facts().quirks.contains(&Quirk::OneByteInstallLengths);
        if one_byte { Lengths::OneByte } else { Lengths::Ber }
    }

    fn purse(&self) -> Install {
        let facts = self.plan.element.facts();
        Install::Application(InstallApplication {
            load_file: name(&facts.purse_package),
            module: name(&facts.purse_module),
            instance: self.plan.instance,
            privileges: Privileges::default(),
            parameters: InstallParameters::default(),
            selectable: true,
        })
    }

    fn domain_opened(
        &mut self,
        opening: Opening,
        stale: bool,
        session: &mut Session,
        answers: &mut Answers<'_>,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        authenticated(answers)?;
        if stale {
            answers.within(session, "DELETE")?; // a purse in our domain goes with the domain's own keys, below
        }
        let made = answers.within(session, "INSTALL of the security domain")?.status;
        if made == Status::NO_ROOM {
            return Err(refused_with(RefusalCode::NoRoom, "INSTALL of the security domain", made));
        }
        answers.ok("SELECT of our security domain")?;
        let answer = answers.parsed::<InitializeUpdate>("INITIALIZE UPDATE")?;
        let put_keys = answer.key_version != self.key_version();
        let owner = if put_keys { issuer(&self.plan.element) } else { own(&self.plan.element) };
        let (authenticate, session) = authenticate(opening, &answer, &owner, &self.plan.element, env)?;
        self.fill(authenticate, session, put_keys, stale, env)
    }

    /// Our keys into the domain, the purse into the domain, the card's data and keys into the purse.
    fn fill(
        &mut self,
        authenticate: Apdu,
        mut session: Session,
        put_keys: bool,
        stale: bool,
        env: &mut Env<'_>,
    ) -> Result<Next, Stop> {
        let ours = |_| refused(RefusalCode::Ours, "key service");
        let (mut script, mut first) = (vec![authenticate], First::Nothing);
        if put_keys {
            let (element, facts) = (&self.plan.element.se_id, self.plan.element.facts());
            let sealed =
                env.keys.wrap_domain_keys(element, facts.key_kind(), facts.aes_check, session.keys());
            let keys = sealed.map_err(ours)?.to_vec();
            let put = PutKey { replaces: 0, version: self.key_version(), first_key: 1, keys };
            script.push(session.wrap(&put.to_apdu()));
            first = First::Keys(put.expected_answer());
        } else if stale {
            first = First::Delete;
            script.push(session.wrap(&Delete { aid: self.plan.instance, related: false }.to_apdu()));
        }
        let keys = env.keys.wrap_card_keys(&self.plan.card, session.keys()).map_err(ours)?;
        let blocks =
            StoreData::series(self.plan.personalisation.store_data_in(&keys, self.longest_block()), true)
                .ok_or_else(|| refused(RefusalCode::Ours, "STORE DATA"))?;
        script.push(session.wrap(&self.purse().to_apdu_with(self.lengths())));
        script.push(session.wrap(&Install::Personalize { target: self.plan.instance }.to_apdu()));
        script.extend(blocks.iter().map(|block| session.wrap(&block.to_apdu())));
        if self.plan.element.facts().crs {
            script.extend(activate::commands(&self.plan.instance, &self.plan.others));
        } else {
            script.push(session.wrap(&activate::implicit(self.plan.instance).to_apdu()));
        }
        self.step = Step::Filling { first, blocks: blocks.len(), session: Box::new(session) };
        Ok(Next::Run(script))
    }

    /// The most plain bytes of STORE DATA that reach the element whole: what its phone passes, less the MAC, in whole
    /// cipher blocks, less a byte of padding.
    fn longest_block(&self) -> usize {
        let facts = self.plan.element.facts();
        let passed = usize::from(facts.max_apdu);
        let whole = match facts.scp {
            Scp::Scp02 { .. } => (passed.saturating_sub(8) / 8).saturating_mul(8),
            Scp::Scp03(option) => (passed.saturating_sub(option.width()) / 16).saturating_mul(16),
        };
        whole.saturating_sub(1).min(BLOCK)
    }

    fn filled(
        &mut self,
        first: &First,
        blocks: usize,
        session: &mut Session,
        answers: &mut Answers<'_>,
    ) -> Result<Next, Stop> {
        authenticated(answers)?;
        match first {
            First::Keys(expected) => {
                let taken = answers.within_ok(session, "PUT KEY")?;
                if PutKey::parse_response(&taken.data).as_ref() != Some(expected) {
                    return Err(refused(RefusalCode::BadAnswer, "PUT KEY"));
                }
            }
            First::Delete => drop(answers.within(session, "DELETE")?),
            First::Nothing => {}
        }
        answers.within_ok(session, "INSTALL of the purse")?;
        answers.within_ok(session, "INSTALL for personalization")?;
        for _ in 0..blocks {
            answers.within_ok(session, "STORE DATA")?;
        }
        if !self.plan.element.facts().crs {
            answers.within_ok(session, "INSTALL for registry update")?;
            return Ok(Next::Done(Report::Issued));
        }
        match activate::switched(answers, &self.plan.others)? {
            activate::Switched::Done => Ok(Next::Done(Report::Issued)),
            activate::Switched::Conflict(conflicting, _) => {
                let mut job = self.activation();
                let next = job.resolve(conflicting);
                Ok(self.activating(job, next))
            }
        }
    }

    fn activation(&self) -> activate::Activate {
        activate::Activate::new(ActivatePlan {
            element: self.plan.element.clone(),
            instance: self.plan.instance,
            others: self.plan.others.clone(),
        })
    }

    fn activate(&mut self, env: &mut Env<'_>) -> Next {
        let mut job = self.activation();
        let next = job.start(env);
        self.activating(job, next)
    }

    /// The card is there, and issued once it is active.
    fn activating(&mut self, job: activate::Activate, next: Next) -> Next {
        match next {
            Next::Done(Report::Activated) => Next::Done(Report::Issued),
            next => {
                self.step = Step::Activating(Box::new(job));
                next
            }
        }
    }
}

/// A new host challenge for the element's default key set, in the dialect of its profile.
pub(super) fn open(element: &Element, env: &mut Env<'_>) -> Opening {
    let mut random = [0; 16];
    env.entropy.fill(&mut random);
    let facts = element.facts();
    Opening::new(facts.scp, 0, random).counting(facts.scp03_counter)
}

/// Who holds the keys of the element's issuer domain.
pub(super) fn issuer(element: &Element) -> ChannelOwner {
    let facts = element.facts();
    ChannelOwner::Issuer {
        maker: facts.keys.clone(),
        scheme: facts.key_scheme,
        version: facts.key_version,
        kind: facts.key_kind(),
    }
}

/// Our own keys in our domain on this element.
pub(super) fn own(element: &Element) -> ChannelOwner {
    ChannelOwner::Domain { element: element.se_id.clone(), kind: element.facts().key_kind() }
}

/// EXTERNAL AUTHENTICATE and the session behind it; the card's cryptogram is checked first, so that wrong keys
/// never cost the card a try.
pub(super) fn authenticate(
    opening: Opening,
    answer: &InitializeUpdateAnswer,
    owner: &ChannelOwner,
    element: &Element,
    env: &Env<'_>,
) -> Result<(Apdu, Session), Stop> {
    let at = "INITIALIZE UPDATE";
    let scp = element.facts().scp;
    if !opening.is_answered_by(answer) {
        return Err(refused(RefusalCode::OtherProfile, at));
    }
    let keys = env.keys.open_channel(owner, &opening.facts(answer));
    let keys = keys.map_err(|_| refused(RefusalCode::Ours, at))?;
    let opened = opening.authenticate(answer, keys, Level::strongest(scp));
    opened.map_err(|error| match error {
        NotAuthenticated::WrongCryptogram { .. } => refused(RefusalCode::WrongKeys, at),
        NotAuthenticated::OtherProtocol { .. } => refused(RefusalCode::OtherProfile, at),
        NotAuthenticated::NoSuchLevel { .. } => refused(RefusalCode::Ours, at),
    })
}

/// The answer to EXTERNAL AUTHENTICATE.
pub(super) fn authenticated(answers: &mut Answers<'_>) -> Result<(), Stop> {
    let status = answers.any()?.status;
    if status.is_ok() {
        Ok(())
    } else {
        Err(refused_with(RefusalCode::WrongKeys, "EXTERNAL AUTHENTICATE", status))
    }
}

/// An AID of the registry; its files allow no other length.
fn name(aid: &model::registry::Aid) -> Aid {
    Aid::new(aid.as_bytes()).unwrap_or(Aid::ISSUER_DOMAIN)
}
