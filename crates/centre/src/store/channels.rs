//! What channels ask for (渠道订单), and which order of a wallet has paid each.

use model::registry::Bearer;
use model::{CardNumber, CardTime, ChannelId, CityCode, Fen, PurseFen, WalletId};

use super::db::{Db, DbResult, Row, params};
use super::orders::OrderRow;
use super::parsed;

/// One load that a channel asks for.
#[derive(Clone, Debug)]
pub(crate) struct ChannelOrder {
    pub(crate) seq: u64,
    pub(crate) channel: ChannelId,
    pub(crate) id: String,
    pub(crate) digest: [u8; 32],
    /// Which wallet may pay it.
    pub(crate) wallet: WalletId,
    pub(crate) city: CityCode,
    /// The card that may be loaded, and no other.
    pub(crate) number: CardNumber,
    pub(crate) amount: PurseFen,
    /// The channel's, by the agreement of the day it was placed.
    pub(crate) fee: Fen,
    pub(crate) borne_by: Bearer,
    pub(crate) placed_at: CardTime,
    /// The last second in which it may be paid.
    pub(crate) pay_by: CardTime,
    /// The wallet's order that has paid it.
    pub(crate) paid_as: Option<String>,
}

/// Whose view it is.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    /// The channel's own.
    By(ChannelId),
    /// A wallet's: what it was asked to pay.
    Under(WalletId),
}

impl ChannelOrder {
    fn read(row: &Row<'_>) -> DbResult<Self> {
        Ok(ChannelOrder {
            seq: row.get("seq")?,
            channel: parsed(row, "channel")?,
            id: row.get("id")?,
            digest: row.get("digest")?,
            wallet: parsed(row, "wallet")?,
            city: parsed(row, "city")?,
            number: parsed(row, "number")?,
            amount: PurseFen::try_from(row.get::<u32>("amount_fen")?).unwrap_or_default(),
            fee: Fen::new(row.get("fee_fen")?),
            borne_by: parsed(row, "borne_by")?,
            placed_at: parsed(row, "placed_at")?,
            pay_by: parsed(row, "pay_by")?,
            paid_as: row.get("paid_as")?,
        })
    }

    pub(crate) fn find(db: &Db, channel: &ChannelId, id: &str) -> DbResult<Option<Self>> {
        db.one(
            "SELECT * FROM channel_orders WHERE channel = $1 AND id = $2",
            params![channel.as_str(), id],
            ChannelOrder::read,
        )
    }

    /// What an order of a wallet has paid, if a channel asked for it.
    pub(crate) fn paid_by(db: &Db, order: &OrderRow) -> DbResult<Option<Self>> {
        db.one(
            "SELECT * FROM channel_orders WHERE wallet = $1 AND paid_as = $2",
            params![order.wallet.as_str(), &order.id],
            ChannelOrder::read,
        )
    }

    /// What is asked for after `seq`, oldest first.
    pub(crate) fn after(db: &Db, seen: &Seen, seq: u64, most: u32) -> DbResult<Vec<Self>> {
        let (column, id) = match seen {
            Seen::By(channel) => ("channel", channel.as_str()),
            Seen::Under(wallet) => ("wallet", wallet.as_str()),
        };
        db.all(
            &format!("SELECT * FROM channel_orders WHERE {column} = $1 AND seq > $2 ORDER BY seq LIMIT $3"),
            params![id, seq, most],
            ChannelOrder::read,
        )
    }

    pub(crate) fn insert(&self, db: &Db) -> DbResult<()> {
        db.execute(
            "INSERT INTO channel_orders (channel, id, digest, wallet, city, number, amount_fen, fee_fen, borne_by,
                                         placed_at, pay_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            params![
                self.channel.as_str(),
                &self.id,
                self.digest,
                self.wallet.as_str(),
                self.city.to_string(),
                self.number.raw(),
                self.amount.get(),
                self.fee.get(),
                self.borne_by.as_str(),
                self.placed_at.to_string(),
                self.pay_by.to_string(),
            ],
        )?;
        Ok(())
    }

    /// A wallet's order pays it. `false`: another has.
    pub(crate) fn pay(&self, db: &Db, order: &str) -> DbResult<bool> {
        let changed = db.execute(
            "UPDATE channel_orders SET paid_as = $3 WHERE channel = $1 AND id = $2 AND paid_as IS NULL",
            params![self.channel.as_str(), &self.id, order],
        )?;
        Ok(changed == 1)
    }

    /// How many loads the channel asked for since a moment, onto one card or onto all, and their sum in fen. Those
    /// that were not paid in time, and those that came to nothing, do not count.
    pub(crate) fn loads_since(
        db: &Db,
        channel: &ChannelId,
        card: Option<(CityCode, CardNumber)>,
        (since, now): (CardTime, CardTime),
    ) -> DbResult<(u64, i64)> {
        let (city, number) =
            card.map_or_else(Default::default, |(city, number)| (city.to_string(), number.raw()));
        let sums = db.one(
            "SELECT count(*), CAST(coalesce(sum(asked.amount_fen), 0) AS BIGINT) FROM channel_orders asked
             LEFT JOIN orders ON orders.wallet = asked.wallet AND orders.id = asked.paid_as
             WHERE asked.channel = $1 AND asked.placed_at >= $2
               AND ((asked.paid_as IS NULL AND asked.pay_by >= $3) OR orders.state <> 'refused')
               AND ($4 = '' OR (asked.city = $4 AND asked.number = $5))",
            params![channel.as_str(), since.to_string(), now.to_string(), city, number],
            |row| Ok((row.at(0)?, row.at(1)?)),
        )?;
        Ok(sums.unwrap_or_default())
    }
}
