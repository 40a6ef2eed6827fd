//! Load, purchase, compound purchase, and their proof afterwards.
//!
//! Standard: PBOC electronic purse (card.md sections 1.2, 1.3, 1.5, 2.1, 2.2).
//! Invariant: each transaction is computed whole beside the memory and put in place by one assignment.

use keys::{CardKey, KeyUsage, LoadOffer, LoadSession, Purchase, PurchaseSession};
use model::{Entropy, PurseFen, Tac, TerminalId, TxnType};
use smartcard::{Apdu, Command, Status};

use super::memory::Issued;
use super::{Purse, files, security};
use crate::command::{
    CreditForLoad, DebitForPurchase, DebitProof, GetBalance, GetTransactionProve, InitializeForLoad,
    InitializeForPurchase, PurchaseKind, PurchaseOffer, TransactionProof, UpdateCappDataCache,
};
use crate::layout::LogRecord;

/// Records that one compound purchase may write.
const CACHE: usize = 4;

/// A transaction between its INITIALIZE and its CREDIT or DEBIT.
pub(super) enum Pending {
    Load { amount: PurseFen, terminal: TerminalId, session: LoadSession },
    Debit(Debit),
}

pub(super) struct Debit {
    command: InitializeForPurchase,
    random: [u8; 4],
    /// Index in file 0017 and the record that goes there.
    cache: Vec<(usize, Vec<u8>)>,
}

impl Purse {
    pub(super) fn get_balance(&self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        GetBalance::from_apdu(apdu)?;
        Ok(GetBalance::answer(self.purse()?.balance))
    }

    pub(super) fn initialize(&mut self, apdu: &Apdu, entropy: &mut dyn Entropy) -> Result<Vec<u8>, Status> {
        if apdu.p1 == 0 {
            self.initialize_for_load(&InitializeForLoad::from_apdu(apdu)?, entropy)
        } else {
            self.initialize_for_purchase(InitializeForPurchase::from_apdu(apdu)?, entropy)
        }
    }

    fn initialize_for_load(
        &mut self,
        command: &InitializeForLoad,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, Status> {
        let issued = self.usable_purse()?;
        if issued.profile.pin_before_load && !self.session.pin_verified {
            return Err(Status::SECURITY_NOT_SATISFIED);
        }
        let key = indexed(issued, KeyUsage::Load, command.key_index)?;
        let counter = unspent(issued.online)?;
        let InitializeForLoad { amount, terminal, .. } = *command;
        if issued.balance.plus(amount).is_none_or(|after| after > issued.profile.purse_limit) {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        let random = draw(entropy);
        let session = LoadSession::new(&key.key, random, counter);
        let mac1 = session.mac1(issued.balance, amount, TxnType::Load.code(), terminal).bytes();
        let balance = issued.balance;
        let offer =
            LoadOffer { balance, counter, key_version: key.version, algorithm: key.algorithm, random, mac1 };
        self.session.pending = Some(Pending::Load { amount, terminal, session });
        Ok(InitializeForLoad::answer(&offer))
    }

    pub(super) fn credit_for_load(
        &mut self,
        apdu: &Apdu,
        pending: Option<Pending>,
    ) -> Result<Vec<u8>, Status> {
        let CreditForLoad { at, mac2 } = CreditForLoad::from_apdu(apdu)?;
        let issued = self.usable_purse()?;
        let Some(Pending::Load { amount, terminal, session }) = pending else {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        };
        let kind = TxnType::Load;
        if !session.mac2(amount, kind.code(), terminal, at).verify(mac2) {
            return Err(Status::WRONG_MAC);
        }
        let balance = issued.balance.plus(amount).ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let tac_key = security::only_key(issued, KeyUsage::Tac)?;
        let tac = keys::load_tac(tac_key, balance, issued.online, amount, kind.code(), terminal, at);
        let tac = Tac(tac.bytes());
        let counter = issued.online.checked_add(1).ok_or(Status::COUNTER_MAX)?;
        let mut next = Issued { balance, online: counter, ..issued.clone() };
        next.loads.push(&LogRecord { counter, overdraft_limit: [0; 3], amount, kind, terminal, at });
        next.proofs.keep(kind, counter, TransactionProof { mac: [0; 4], tac });
        self.memory.issued = Some(next);
        Ok(CreditForLoad::answer(tac))
    }

    fn initialize_for_purchase(
        &mut self,
        command: InitializeForPurchase,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, Status> {
        let issued = self.usable_purse()?;
        let key = indexed(issued, KeyUsage::Purchase, command.key_index)?;
        let counter = unspent(issued.offline)?;
        if command.amount > issued.balance {
            return Err(Status::BALANCE_LOW);
        }
        let random = draw(entropy);
        let offer = PurchaseOffer {
            balance: issued.balance,
            counter,
            overdraft_limit: [0; 3],
            key_version: key.version,
            algorithm: key.algorithm,
            random,
        };
        self.session.pending = Some(Pending::Debit(Debit { command, random, cache: Vec::new() }));
        Ok(offer.to_bytes())
    }

    /// A record that does not fit ends the transaction, as any other refused command does.
    pub(super) fn update_capp_data_cache(
        &mut self,
        apdu: &Apdu,
        pending: Option<Pending>,
    ) -> Result<Vec<u8>, Status> {
        let UpdateCappDataCache { file, place, record } = UpdateCappDataCache::from_apdu(apdu)?;
        let issued = self.usable_purse()?;
        let mut debit = match pending {
            Some(Pending::Debit(debit)) if debit.command.kind == PurchaseKind::Compound => debit,
            _ => return Err(Status::CONDITIONS_NOT_SATISFIED),
        };
        self.check_file(file)?;
        let index = files::compound_index(issued, file, place)?;
        files::replace_open(&mut issued.clone(), index, &record)?;
        debit.cache.retain(|(other, _)| *other != index);
        if debit.cache.len() >= CACHE {
            return Err(Status::NO_ROOM);
        }
        debit.cache.push((index, record));
        self.session.pending = Some(Pending::Debit(debit));
        Ok(Vec::new())
    }

    pub(super) fn debit_for_purchase(
        &mut self,
        apdu: &Apdu,
        pending: Option<Pending>,
    ) -> Result<Vec<u8>, Status> {
        let command = DebitForPurchase::from_apdu(apdu)?;
        let issued = self.usable_purse()?;
        let Some(Pending::Debit(debit)) = pending else { return Err(Status::CONDITIONS_NOT_SATISFIED) };
        let (next, proof) = debit.complete(issued, &command)?;
        self.memory.issued = Some(next);
        Ok(proof.to_bytes())
    }

    pub(super) fn get_transaction_prove(&self, apdu: &Apdu) -> Result<Vec<u8>, Status> {
        let GetTransactionProve { kind, counter } = GetTransactionProve::from_apdu(apdu)?;
        let proof = self.purse()?.proofs.find(kind, counter).ok_or(Status::PROOF_NOT_AVAILABLE)?;
        Ok(proof.to_bytes())
    }
}

impl Debit {
    /// The card after the debit, and its proof.
    fn complete(self, issued: &Issued, command: &DebitForPurchase) -> Result<(Issued, DebitProof), Status> {
        let InitializeForPurchase { kind, key_index, amount, terminal } = self.command;
        let DebitForPurchase { terminal_seq, at, mac1 } = *command;
        let kind = kind.txn_type();
        let purchase = Purchase { amount, txn_type: kind.code(), terminal, at };
        let key = indexed(issued, KeyUsage::Purchase, key_index)?;
        let session = PurchaseSession::new(&key.key, self.random, issued.offline, terminal_seq);
        let auth_id = issued.profile.mac1_includes_auth_id.then_some(&issued.auth_id);
        if !session.mac1(&purchase, auth_id).verify(mac1) {
            return Err(Status::WRONG_MAC);
        }
        let tac_key = security::only_key(issued, KeyUsage::Tac)?;
        let tac = Tac(keys::purchase_tac(tac_key, &purchase, terminal_seq).bytes());
        let mac2 = session.mac2(amount).bytes();

        let mut next = issued.clone();
        next.balance = issued.balance.minus(amount).ok_or(Status::BALANCE_LOW)?;
        for (index, record) in &self.cache {
            files::replace_open(&mut next, *index, record)?;
        }
        let counts =
            amount > PurseFen::ZERO || kind == TxnType::Purchase || issued.profile.zero_amount_counts;
        if counts {
            let counter = issued.offline.checked_add(1).ok_or(Status::COUNTER_MAX)?;
            next.offline = counter;
            next.purchases.push(&LogRecord { counter, overdraft_limit: [0; 3], amount, kind, terminal, at });
        }
        // Under an unmoved counter this takes the place of an earlier purchase's proof: see GET TRANSACTION PROVE.
        let counter = next.offline;
        next.proofs.keep(kind, counter, TransactionProof { mac: mac2, tac });
        Ok((next, DebitProof { tac, mac2 }))
    }
}

fn indexed(issued: &Issued, usage: KeyUsage, index: u8) -> Result<&CardKey, Status> {
    issued.keys.get(usage, index).ok_or(Status::WRONG_KEY_INDEX)
}

/// A counter that can still move.
fn unspent(counter: u16) -> Result<u16, Status> {
    if counter == u16::MAX { Err(Status::COUNTER_MAX) } else { Ok(counter) }
}

fn draw(entropy: &mut dyn Entropy) -> [u8; 4] {
    let mut random = [0; 4];
    entropy.fill(&mut random);
    random
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purse::PurseMemory;

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&mut self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }

    /// The card of `vectors/card/memory.toml`, its counters moved.
    fn purse_with(online: u16, offline: u16) -> Purse {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/card/memory.toml");
        let file: toml::Table = toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let bytes = file["memory"][0]["bytes"].as_str().unwrap().split_whitespace().collect::<String>();
        let mut memory: PurseMemory = minicbor::decode(&hex::decode(bytes).unwrap()).unwrap();
        let issued = memory.issued.as_mut().unwrap();
        issued.profile.pin_before_load = false;
        (issued.online, issued.offline) = (online, offline);
        Purse::with_memory(memory)
    }

    fn initialize(purse: &mut Purse, p1: u8) -> Status {
        let data = hex::decode("0100000001410002130001").unwrap();
        purse.process(&Apdu::new([0x80, 0x50, p1, 0x02], data, None), &mut Zeros).status
    }

    #[test]
    fn a_counter_at_its_end_begins_no_transaction() {
        let mut purse = purse_with(u16::MAX, u16::MAX);
        assert_eq!([0, 1, 3].map(|p1| initialize(&mut purse, p1)), [Status::COUNTER_MAX; 3]);
        let mut purse = purse_with(u16::MAX - 1, u16::MAX - 1);
        assert_eq!([0, 1, 3].map(|p1| initialize(&mut purse, p1)), [Status::OK; 3]);
    }

    #[test]
    fn a_load_and_a_purchase_have_counters_of_their_own() {
        let mut purse = purse_with(u16::MAX, 0);
        assert_eq!([0, 1].map(|p1| initialize(&mut purse, p1)), [Status::COUNTER_MAX, Status::OK]);
    }
}
