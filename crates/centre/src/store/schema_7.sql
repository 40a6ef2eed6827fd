-- centre.db, version 7: what channels ask for. Each is paid by one order of a wallet, or by none.
CREATE TABLE channel_orders (
    seq        INTEGER PRIMARY KEY,
    channel    TEXT NOT NULL,
    id         TEXT NOT NULL,               -- the channel's own
    digest     BLOB NOT NULL,
    wallet     TEXT NOT NULL,               -- which may pay it
    city       TEXT NOT NULL,
    number     TEXT NOT NULL,               -- of the card that may be loaded, and no other
    amount_fen INTEGER NOT NULL,
    fee_fen    INTEGER NOT NULL,            -- by the agreement of the day
    borne_by   TEXT NOT NULL,
    placed_at  TEXT NOT NULL,
    pay_by     TEXT NOT NULL,
    paid_as    TEXT,                        -- the wallet's order
    UNIQUE (channel, id),
    UNIQUE (wallet, paid_as)
) STRICT;
CREATE INDEX channel_orders_by_time ON channel_orders (channel, placed_at);
