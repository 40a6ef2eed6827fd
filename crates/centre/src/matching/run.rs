//! Running a day's match (核对执行): gathers the three sides page by page, compares, and writes down.
//!
//! Invariant: the store is never held longer than one page takes, so loads go on meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use model::{CardNumber, CardTime, CityCode, Date, Fen, WalletId};
use sha2::{Digest, Sha256};

use super::cards::{CardSign, LoadPoint, Says, signs};
use super::cases::{agreed, keep};
use super::compare::{CardSays, Finding, LedgerSays, Moved, Sides, WalletSays, compare};
use super::file;
use super::kind::Kind;
use super::result::{DayMatch, WalletMatch};
use super::words::{card_says, load_point, of_story, order_line};
use crate::core::{Core, State};
use crate::phone::NOT_CREDITED;
use crate::problem::{Code, Problem};
use crate::store::{
    CaseRow, Event, OrderKind, OrderRow, OrderState, WalletDay, cards_seen, find_match, keep_match,
    last_match, log_before, sights_of, wallet_page, wallet_says,
};

/// Lines of the log read at once.
const LOG_PAGE: usize = 1000;
/// Orders, or cards, looked at while the store is held.
const PAGE: usize = 200;
/// Files of a day are waited for until so long after its end.
const FILES_BY_SECONDS: i64 = 4 * 3600;
/// How far back a card's story is read, in days.
const STORY_DAYS: i32 = 31;

/// A wallet's order.
type Key = (WalletId, String);

/// What one page of work needs of the day.
struct Run<'a> {
    core: &'a Core,
    day: Date,
    /// The log's words, by order.
    log: BTreeMap<Key, LogWord>,
    /// What is looked at, with the wallet's line of the day's file; `true`: it counts for the day.
    scope: BTreeMap<Key, (Option<WalletSays>, bool)>,
    signs: BTreeMap<Key, Vec<CardSign>>,
    /// Settled by this run, so that the log's words are old.
    settled: BTreeSet<Key>,
}

/// What the part of the log that was read says of an order.
#[derive(Clone, Copy)]
struct LogWord {
    says: LedgerSays,
    /// A line of it counts for the day.
    touched: bool,
}

impl Core {
    /// Takes a wallet's daily file in; the same file again gives the same receipt. A day that was matched already is
    /// matched again.
    pub(crate) fn take_day(&self, wallet: &WalletId, day: Date, bytes: &[u8]) -> Result<WalletDay, Problem> {
        let now = self.now();
        if day > now.date() {
            return Err(Code::DayNotOver.about(day));
        }
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let same = |stored: WalletDay| {
            let taken = || Problem::taken(Code::FileNameTaken, format!("{wallet} {day}"), stored.digest);
            if stored.digest == digest { Ok(stored.clone()) } else { Err(taken()) }
        };
        if let Some(stored) = WalletDay::find(self.state().store.read(), wallet, day)? {
            return same(stored);
        }
        let file = file::read(wallet, day, bytes).map_err(|error| Code::FileRefused.about(error))?;
        let lines = u64::try_from(file.lines.len()).unwrap_or(u64::MAX);
        let row = WalletDay { wallet: wallet.clone(), day, digest, lines, sums: file.sums, taken_at: now };
        let about = format!("{wallet} {day}: {lines}");
        let event =
            Event { at: now, kind: "wallet-file-taken-in".into(), about, amount: Some(row.sums.paid) };
        let matched = {
            let mut state = self.state();
            if let Some(stored) = WalletDay::find(state.store.read(), wallet, day)? {
                return same(stored);
            }
            state.store.write(|db| {
                row.insert(db, &file.lines)?;
                event.insert(db)?;
                Ok(())
            })?;
            find_match(state.store.read(), day)?.is_some()
        };
        tracing::info!(%wallet, %day, lines, "a wallet's file taken in");
        if matched {
            self.match_day(day)?;
        }
        Ok(row)
    }

    /// The result of a day's match.
    pub(crate) fn matched(&self, day: Date) -> Result<DayMatch, Problem> {
        let result =
            find_match(self.state().store.read(), day)?.ok_or_else(|| Code::DayNotMatched.about(day))?;
        serde_json::from_str(&result).map_err(|error| Code::Internal.about(error))
    }

    /// Matches the days that are over and not matched yet: once every wallet's file is there, or its time has come.
    ///
    /// # Errors
    /// As [`Core::match_day`]; the rest waits for the next call.
    pub fn match_due(&self) -> Result<Vec<DayMatch>, Problem> {
        let now = self.now();
        let yesterday = now.date().plus_days(-1);
        let last = last_match(self.state().store.read())?;
        let last: Option<DayMatch> = last.and_then(|result| serde_json::from_str(&result).ok());
        let last: Option<Date> = last.and_then(|matched| matched.day.parse().ok());
        let mut day = last.map_or(yesterday, |last| last.plus_days(1));
        let mut results = Vec::new();
        while day <= yesterday {
            let waits = now.seconds_since(day.plus_days(1).start()) < FILES_BY_SECONDS;
            if waits && !self.has_files(day)? {
                break;
            }
            results.push(self.match_day(day)?);
            day = day.plus_days(1);
        }
        Ok(results)
    }

    fn has_files(&self, day: Date) -> Result<bool, Problem> {
        let state = self.state();
        for wallet in self.registry().wallets() {
            if WalletDay::find(state.store.read(), &wallet.id, day)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Matches a day: wallets' files, ledger, cards. Again, it comes to the same.
    ///
    /// # Errors
    /// The day has not begun, or a store failed; the match may then be run again.
    pub fn match_day(&self, day: Date) -> Result<DayMatch, Problem> {
        if day > self.now().date() {
            return Err(Code::DayNotOver.about(day));
        }
        let mut run = Run {
            core: self,
            day,
            log: BTreeMap::new(),
            scope: BTreeMap::new(),
            signs: BTreeMap::new(),
            settled: BTreeSet::new(),
        };
        let after = run.read_log()?;
        let mut wallets = run.read_files()?;
        let open = CaseRow::open_until(self.state().store.read(), day)?;
        for case in open.iter().filter(|case| !case.order.is_empty()) {
            run.scope.entry((case.wallet.clone(), case.order.clone())).or_insert((None, false));
        }
        run.read_cards(&open)?;
        let found = run.compare_all(&mut wallets)?;
        let found = run.missing(&mut wallets, found)?;
        run.settle_cases(open, &found)?;
        let wallets = wallets.into_values().filter(|w| w.orders > 0 || w.file).collect();
        let result = DayMatch::new(day, wallets);
        let text = serde_json::to_string(&result).map_err(|error| Code::Internal.about(error))?;
        let differences = result.differences();
        self.state().store.write(|db| {
            if find_match(db, day)?.as_ref() != Some(&text) {
                let about = format!("{day}: {}", result.orders());
                let event =
                    Event { at: self.now(), kind: "day-matched".into(), about, amount: Some(result.gap()) };
                event.insert(db)?;
            }
            Ok(keep_match(db, day, after, &text)?)
        })?;
        tracing::info!(%day, orders = result.orders(), differences, "day matched");
        Ok(result)
    }
}

impl Run<'_> {
    /// Reads the log from where the day may begin; gives the position after which only later days count.
    fn read_log(&mut self) -> Result<u64, Problem> {
        let mut after = log_before(self.core.state().store.read(), self.day)?;
        let mut next = None;
        loop {
            let page = self.core.state().ledger.read(after, LOG_PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.position;
            for line in &page {
                if line.fact.day() > self.day {
                    next = next.or(Some(line.position.saturating_sub(1)));
                }
                let Some((key, moved, entry)) = order_line(&line.fact) else { continue };
                let (now_day, position) = (entry.day, line.position);
                let amount = entry.legs.first().map_or(Fen::ZERO, ledger::Leg::amount);
                let fresh = LedgerSays { amount, by_day: None, now: moved, now_day, position };
                let word = self.log.entry(key).or_insert(LogWord { says: fresh, touched: false });
                let by_day = if now_day <= self.day { Some(moved) } else { word.says.by_day };
                word.says = LedgerSays { by_day, ..fresh };
                word.touched |= now_day == self.day;
            }
        }
        let day = self.day;
        self.log.retain(|_, word| word.touched || word.says.now_day > day);
        let touched = self.log.iter().filter(|(_, word)| word.touched);
        self.scope.extend(touched.map(|(key, _)| (key.clone(), (None, true))));
        Ok(next.unwrap_or(after))
    }

    /// Reads the wallets' files of the day.
    fn read_files(&mut self) -> Result<BTreeMap<WalletId, WalletMatch>, Problem> {
        let mut wallets = BTreeMap::new();
        let most = u32::try_from(LOG_PAGE).unwrap_or(u32::MAX);
        for wallet in self.core.registry().wallets().map(|wallet| wallet.id.clone()) {
            let file = WalletDay::find(self.core.state().store.read(), &wallet, self.day)?.is_some();
            let mut after = String::new();
            loop {
                let page = wallet_page(self.core.state().store.read(), &wallet, self.day, &after, most)?;
                let Some((last, _)) = page.last() else { break };
                after.clone_from(last);
                let named = |(order, says)| ((wallet.clone(), order), (Some(says), true));
                self.scope.extend(page.into_iter().map(named));
            }
            wallets.insert(wallet.clone(), WalletMatch::new(wallet, file));
        }
        Ok(wallets)
    }

    /// Reads the stories of the cards that the day's orders, open cases and files are about, and settles what a card
    /// has proven.
    fn read_cards(&mut self, open: &[CaseRow]) -> Result<(), Problem> {
        let window = self.day.plus_days(STORY_DAYS.saturating_neg()).start();
        let mut cards: BTreeMap<CardNumber, CardTime> = BTreeMap::new();
        let mut after = String::new();
        loop {
            let most = u32::try_from(PAGE).unwrap_or(u32::MAX);
            let page = cards_seen(self.core.state().store.read(), self.day, &after, most)?;
            let Some(last) = page.last() else { break };
            after = last.raw();
            cards.extend(page.into_iter().map(|card| (card, window)));
        }
        let keys: Vec<Key> = self.scope.keys().cloned().collect();
        let cases: BTreeSet<Key> =
            open.iter().map(|case| (case.wallet.clone(), case.order.clone())).collect();
        for page in keys.chunks(PAGE) {
            let state = self.core.state();
            for key in page {
                let Some(order) = OrderRow::find(state.store.read(), &key.0, &key.1)? else { continue };
                let Some(number) = order.number.filter(|_| order.reservation.is_some()) else { continue };
                let since = cards.entry(number).or_insert(window);
                if cases.contains(key) {
                    *since = (*since).min(order.placed_at);
                }
            }
        }
        let cards: Vec<(CardNumber, CardTime)> = cards.into_iter().collect();
        for page in cards.chunks(PAGE) {
            let mut state = self.core.state();
            for (card, since) in page {
                self.read_card(&mut state, *card, *since)?;
            }
        }
        Ok(())
    }

    fn read_card(&mut self, state: &mut State, card: CardNumber, since: CardTime) -> Result<(), Problem> {
        let mut cities: BTreeMap<CityCode, Vec<(LoadPoint, OrderRow)>> = BTreeMap::new();
        for order in OrderRow::reserved_since(state.store.read(), card, since)? {
            if let Some((city, point)) = load_point(&order) {
                cities.entry(city).or_default().push((point, order));
            }
        }
        for (city, mut loads) in cities {
            loads.sort_by_key(|(point, order)| (point.place(), order.seq));
            let points: Vec<LoadPoint> = loads.iter().map(|(point, _)| *point).collect();
            let Some(first) = points.first() else { continue };
            let taps = sights_of(state.store.read(), (city, card), first.at, self.day)?;
            for sign in signs(&points, &taps) {
                let Some((_, order)) = loads.get_mut(sign.load) else { continue };
                let key = (order.wallet.clone(), order.id.clone());
                if sign.says == Says::NotCredited {
                    self.core.refused(state, order, NOT_CREDITED, "INITIALIZE FOR LOAD", "load-disproven")?;
                    self.settled.insert(key.clone());
                }
                self.scope.entry(key.clone()).or_insert((None, false));
                self.signs.entry(key).or_default().push(sign);
            }
            for (_, order) in &mut loads {
                self.settle_by_tac(state, order)?;
            }
        }
        Ok(())
    }

    /// A load in doubt whose own TAC is written down already: the process died before it was posted.
    fn settle_by_tac(&mut self, state: &mut State, order: &mut OrderRow) -> Result<(), Problem> {
        let (Some(reservation), Some(tac)) = (order.reservation, order.tac) else { return Ok(()) };
        if order.state != OrderState::InDoubt || card_says(self.core, order) != CardSays::Proven {
            return Ok(());
        }
        self.core.credited(state, order, &reservation, tac, "load-proven")?;
        self.settled.insert((order.wallet.clone(), order.id.clone()));
        Ok(())
    }

    /// Compares every order in scope and writes the findings down.
    fn compare_all(
        &self,
        wallets: &mut BTreeMap<WalletId, WalletMatch>,
    ) -> Result<BTreeSet<(Key, &'static str)>, Problem> {
        let mut found = BTreeSet::new();
        let keys: Vec<&Key> = self.scope.keys().collect();
        for page in keys.chunks(PAGE) {
            let mut state = self.core.state();
            let mut findings = Vec::new();
            for key in page {
                let sides = self.sides(&state, key)?;
                let counts = self.scope.get(*key).is_some_and(|(_, counts)| *counts);
                let Some(figures) = wallets.get_mut(&key.0) else { continue };
                let of_order = self.findings(&sides, figures.file);
                if counts {
                    count(figures, &sides, &of_order);
                }
                findings.extend(of_order.into_iter().map(|finding| (finding, counts)));
            }
            let now = self.core.now();
            let kept = state.store.write(|db| {
                findings
                    .into_iter()
                    .map(|(finding, counts)| Ok((keep(db, self.day, now, &finding)? || counts, finding)))
                    .collect::<Result<Vec<_>, Problem>>()
            })?;
            for (counts, finding) in kept {
                if let (true, Some(figures)) = (counts, wallets.get_mut(&finding.wallet)) {
                    figures.count(finding.kind, finding.gap);
                }
                found.insert(((finding.wallet, finding.order), finding.kind.as_str()));
            }
        }
        Ok(found)
    }

    /// What must be named of one order. Where the wallet's whole file is missing, that is the case.
    fn findings(&self, sides: &Sides, has_file: bool) -> Vec<Finding> {
        let mut findings: Vec<Finding> = compare(self.day, sides).into_iter().collect();
        findings.retain(|finding| has_file || finding.kind != Kind::LedgerOnly);
        let key = (sides.wallet.clone(), sides.order.clone());
        for sign in self.signs.get(&key).into_iter().flatten() {
            let Says::Case(kind, gap) = sign.says else {
                let doubt = findings.iter_mut().find(|finding| finding.kind == Kind::InDoubt);
                if let Some(doubt) = doubt {
                    doubt.evidence.card = sign.text.clone();
                }
                continue;
            };
            if let Some(known) = findings.iter_mut().find(|finding| finding.kind == kind) {
                known.evidence.card = format!("{}; {}", known.evidence.card, sign.text);
                continue;
            }
            let mut evidence = sides.evidence();
            evidence.card.clone_from(&sign.text);
            let (wallet, order, city) = (sides.wallet.clone(), sides.order.clone(), sides.city);
            let how =
                (kind == Kind::LoadedElsewhere).then(|| "loaded by others, by the card's word".to_owned());
            findings.push(Finding { wallet, order, kind, city, gap, evidence, how });
        }
        findings
    }

    fn sides(&self, state: &State, key: &Key) -> Result<Sides, Problem> {
        let db = state.store.read();
        let (wallet, order) = key;
        let named = self.scope.get(key).and_then(|(says, _)| says.clone());
        let says = match named {
            Some(says) => Some(says),
            None => wallet_says(db, wallet, order, self.day)?,
        };
        let row = OrderRow::find(db, wallet, order)?;
        let ledger = match self.log.get(key).filter(|word| word.says.by_day.is_some()) {
            Some(word) if !self.settled.contains(key) => Some(word.says),
            _ => match &row {
                Some(row) => state.ledger.find(&row.entry_id()?)?.map(|story| of_story(&story, self.day)),
                None => None,
            },
        };
        let card = row.as_ref().map_or(CardSays::Nothing, |row| card_says(self.core, row));
        let unproven =
            card == CardSays::Unproven && row.as_ref().is_some_and(|r| r.state == OrderState::Done);
        let decided =
            unproven && CaseRow::of_order(db, wallet, order)?.iter().any(|case| case.decision.is_some());
        Ok(Sides {
            wallet: wallet.clone(),
            order: order.clone(),
            kind: row.as_ref().map(|row| row.kind),
            city: row.as_ref().and_then(|row| row.city),
            says,
            state: row.as_ref().map(|row| row.state),
            ledger,
            card,
            decided,
        })
    }

    /// A case for each wallet that had business and sent no file.
    fn missing(
        &self,
        wallets: &mut BTreeMap<WalletId, WalletMatch>,
        mut found: BTreeSet<(Key, &'static str)>,
    ) -> Result<BTreeSet<(Key, &'static str)>, Problem> {
        let now = self.core.now();
        for figures in wallets.values_mut().filter(|figures| !figures.file && figures.orders > 0) {
            let evidence = super::Evidence {
                wallet: format!("no file of {}", self.day),
                ledger: format!("{} orders, {} fen posted", figures.orders, figures.ledger_posted.fen.get()),
                card: format!("{} orders proven", figures.cards_proven.orders),
            };
            let (wallet, order, kind) = (figures.wallet.clone(), String::new(), Kind::FileMissing);
            let gap = figures.ledger_posted.fen.negated().unwrap_or_default();
            let finding = Finding { wallet, order, kind, city: None, gap, evidence, how: None };
            self.core.state().store.write(|db| keep(db, self.day, now, &finding))?;
            figures.count(kind, gap);
            found.insert(((finding.wallet, finding.order), kind.as_str()));
        }
        Ok(found)
    }

    /// What was open and is no more is settled.
    fn settle_cases(&self, open: Vec<CaseRow>, found: &BTreeSet<(Key, &'static str)>) -> Result<(), Problem> {
        let now = self.core.now();
        for case in open {
            let key = (case.wallet.clone(), case.order.clone());
            let mut state = self.core.state();
            let sides = if case.kind == Kind::FileMissing {
                if WalletDay::find(state.store.read(), &case.wallet, case.day)?.is_none() {
                    continue;
                }
                None
            } else {
                if found.contains(&(key.clone(), case.kind.as_str())) {
                    continue;
                }
                Some(self.sides(&state, &key)?)
            };
            state.store.write(|db| agreed(db, self.day, now, case, sides.as_ref()))?;
        }
        Ok(())
    }
}

/// Adds an order that counts for the day to its wallet's figures.
fn count(figures: &mut WalletMatch, sides: &Sides, findings: &[Finding]) {
    figures.orders = figures.orders.saturating_add(1);
    if let Some(says) = sides.says.as_ref().filter(|says| says.word == file::Word::Paid) {
        figures.wallet_paid.add(says.amount);
    }
    let posted = sides.ledger.filter(|ledger| ledger.by_day == Some(Moved::Posted));
    if let Some(ledger) = posted {
        figures.ledger_posted.add(ledger.amount);
        if sides.card == CardSays::Proven || sides.kind == Some(OrderKind::Issue) {
            figures.cards_proven.add(ledger.amount);
        }
    }
    let agrees = figures.file && findings.iter().all(|finding| finding.kind == Kind::LoadedElsewhere);
    figures.matched = figures.matched.saturating_add(u64::from(agrees));
}
