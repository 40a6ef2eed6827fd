//! The purse's own MACs: load (圈存) and purchase (消费), their session keys, and the TAC (交易验证码).
//!
//! Standard: PBOC electronic purse, algorithm id 00, with the CJ/T authentication id in a purchase's MAC1
//! (card.md sections 2.1 and 2.2).
//! Invariant: both sides of the wire compute with this one module.

use model::{CardTime, PurseFen, TerminalId};

use crate::block::{Key8, Key16};
use crate::mac::{Mac4, mac_des};

/// What a card answers to INITIALIZE FOR LOAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOffer {
    /// The purse before the load.
    pub balance: PurseFen,
    /// The online counter before the load.
    pub counter: u16,
    /// Version of the card's load key.
    pub key_version: u8,
    /// Algorithm of the card's load key; 0 is 3DES.
    pub algorithm: u8,
    /// The card's random number.
    pub random: [u8; 4],
    /// The card's proof that it is genuine.
    pub mac1: [u8; 4],
}

/// The session key of one load (SESLK).
pub struct LoadSession(pub(crate) Key8);

impl LoadSession {
    /// `E3(load key, random || counter || 80 00)`.
    #[must_use]
    pub fn new(load_key: &Key16, random: [u8; 4], counter: u16) -> Self {
        let [a, b, c, d] = random;
        let [e, f] = counter.to_be_bytes();
        LoadSession(Key8(load_key.encrypt_block([a, b, c, d, e, f, 0x80, 0x00])))
    }

    /// The card's MAC1 over balance, amount, type and terminal.
    #[must_use]
    pub fn mac1(&self, balance: PurseFen, amount: PurseFen, txn_type: u8, terminal: TerminalId) -> Mac4 {
        let data =
            [&balance.to_be_bytes()[..], &amount.to_be_bytes(), &[txn_type], &terminal.bytes()].concat();
        mac_des(&self.0, &data)
    }

    /// The host's MAC2 over amount, type, terminal and time.
    #[must_use]
    pub fn mac2(&self, amount: PurseFen, txn_type: u8, terminal: TerminalId, at: CardTime) -> Mac4 {
        mac_des(&self.0, &Purchase { amount, txn_type, terminal, at }.bytes(None))
    }
}

/// The TAC of a load over the new balance, the counter before it, amount, type, terminal and time.
#[must_use]
pub fn load_tac(
    tac_key: &Key16,
    new_balance: PurseFen,
    counter: u16,
    amount: PurseFen,
    txn_type: u8,
    terminal: TerminalId,
    at: CardTime,
) -> Mac4 {
    let rest = Purchase { amount, txn_type, terminal, at }.bytes(None);
    let data = [&new_balance.to_be_bytes()[..], &counter.to_be_bytes(), &rest].concat();
    mac_des(&tac_key.folded(), &data)
}

/// The facts of a purchase that its MACs cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// What the purse loses.
    pub amount: PurseFen,
    /// `06` purchase, `09` compound purchase.
    pub txn_type: u8,
    /// The reader.
    pub terminal: TerminalId,
    /// When.
    pub at: CardTime,
}

impl Purchase {
    /// Amount, type, terminal, the terminal's counter where it belongs, date and time.
    fn bytes(&self, terminal_seq: Option<u32>) -> Vec<u8> {
        let mut bytes = self.amount.to_be_bytes().to_vec();
        bytes.push(self.txn_type);
        bytes.extend(self.terminal.bytes());
        bytes.extend(terminal_seq.map(u32::to_be_bytes).into_iter().flatten());
        bytes.extend(self.at.date_bcd());
        bytes.extend(self.at.time_bcd());
        bytes
    }
}

/// The session key of one purchase (SESPK).
pub struct PurchaseSession(pub(crate) Key8);

impl PurchaseSession {
    /// `E3(purchase key, random || counter || low half of the terminal's counter)`.
    #[must_use]
    pub fn new(purchase_key: &Key16, random: [u8; 4], counter: u16, terminal_seq: u32) -> Self {
        let [a, b, c, d] = random;
        let [e, f] = counter.to_be_bytes();
        let [_, _, g, h] = terminal_seq.to_be_bytes();
        PurchaseSession(Key8(purchase_key.encrypt_block([a, b, c, d, e, f, g, h])))
    }

    /// The PSAM's MAC1; City Union cards want their authentication id in it.
    #[must_use]
    pub fn mac1(&self, purchase: &Purchase, auth_id: Option<&[u8; 9]>) -> Mac4 {
        let mut data = purchase.bytes(None);
        data.extend(auth_id.into_iter().flatten());
        mac_des(&self.0, &data)
    }

    /// The card's MAC2 over the amount.
    #[must_use]
    pub fn mac2(&self, amount: PurseFen) -> Mac4 {
        mac_des(&self.0, &amount.to_be_bytes())
    }
}

/// The TAC of a purchase over amount, type, terminal, the terminal's counter and time.
#[must_use]
pub fn purchase_tac(tac_key: &Key16, purchase: &Purchase, terminal_seq: u32) -> Mac4 {
    mac_des(&tac_key.folded(), &purchase.bytes(Some(terminal_seq)))
}
