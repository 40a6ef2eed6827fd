-- Schema 1. Never edited once released: a change is a new file that leads from one number to the next.
-- A schema of its own, so that a ledger may live beside other tables in one database.
CREATE SCHEMA ledger;

CREATE TABLE ledger.schema (version BIGINT NOT NULL);
INSERT INTO ledger.schema VALUES (1);

-- The log: one line a fact. day: days since 1970-01-01; at: seconds since then, local; act: see `Act`;
-- legs: `debit>credit=fen`, in their order, between spaces.
CREATE TABLE ledger.log (
    position BIGINT PRIMARY KEY CHECK (position > 0),
    act      BIGINT NOT NULL CHECK (act BETWEEN 1 AND 5),
    id       TEXT COLLATE "C" CHECK ((id IS NULL) = (act = 5)),
    kind     TEXT COLLATE "C" CHECK ((kind IS NULL) = (act = 5)),
    memo     TEXT COLLATE "C" CHECK ((memo IS NULL) = (act = 5)),
    legs     TEXT COLLATE "C" NOT NULL,
    day      BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    digest   BYTEA NOT NULL CHECK (length(digest) = 32),
    hash     BYTEA NOT NULL CHECK (length(hash) = 32)
);

-- An id opens once (recorded, pended) and ends once (posted, voided), for ever; a day ends once.
CREATE UNIQUE INDEX log_id ON ledger.log (id, (act > 2)) WHERE id IS NOT NULL;
CREATE UNIQUE INDEX log_closed ON ledger.log (day) WHERE act = 5;

-- Kept beside the log, in the same transactions; follows from it. Room in each page, for hot accounts.
CREATE TABLE ledger.account (
    name           TEXT COLLATE "C" PRIMARY KEY,
    posted_debit   BIGINT NOT NULL CHECK (posted_debit >= 0),
    posted_credit  BIGINT NOT NULL CHECK (posted_credit >= 0),
    pending_debit  BIGINT NOT NULL CHECK (pending_debit >= 0),
    pending_credit BIGINT NOT NULL CHECK (pending_credit >= 0)
) WITH (fillfactor = 50);

CREATE TABLE ledger.doubt (position BIGINT PRIMARY KEY REFERENCES ledger.log);

CREATE FUNCTION ledger.stays() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$;
CREATE TRIGGER log_stays BEFORE UPDATE OR DELETE ON ledger.log FOR EACH ROW EXECUTE FUNCTION ledger.stays();
CREATE TRIGGER log_is_kept BEFORE TRUNCATE ON ledger.log FOR EACH STATEMENT EXECUTE FUNCTION ledger.stays();
