-- Schema 1. Never edited once released: a change is a new file that leads from one number to the next.

-- The log: one line a fact. day: days since 1970-01-01; at: seconds since then, local; act: see `Act`.
CREATE TABLE log (
    position INTEGER PRIMARY KEY CHECK (position > 0),
    act      INTEGER NOT NULL CHECK (act BETWEEN 1 AND 5),
    id       TEXT CHECK ((id IS NULL) = (act = 5)),
    kind     TEXT CHECK ((kind IS NULL) = (act = 5)),
    memo     TEXT CHECK ((memo IS NULL) = (act = 5)),
    day      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    digest   BLOB NOT NULL CHECK (length(digest) = 32),
    hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- An id opens once (recorded, pended) and ends once (posted, voided), for ever; a day ends once.
CREATE UNIQUE INDEX log_id ON log (id, act > 2) WHERE id IS NOT NULL;
CREATE UNIQUE INDEX log_closed ON log (day) WHERE act = 5;

CREATE TABLE leg (
    position INTEGER NOT NULL REFERENCES log,
    number   INTEGER NOT NULL,
    debit    TEXT NOT NULL REFERENCES account DEFERRABLE INITIALLY DEFERRED,
    credit   TEXT NOT NULL REFERENCES account DEFERRABLE INITIALLY DEFERRED,
    amount   INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (position, number),
    CHECK (debit <> credit)
) STRICT, WITHOUT ROWID;

-- Kept beside the log, in the same transactions; follows from it.
CREATE TABLE account (
    name           TEXT PRIMARY KEY,
    posted_debit   INTEGER NOT NULL CHECK (posted_debit >= 0),
    posted_credit  INTEGER NOT NULL CHECK (posted_credit >= 0),
    pending_debit  INTEGER NOT NULL CHECK (pending_debit >= 0),
    pending_credit INTEGER NOT NULL CHECK (pending_credit >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE doubt (position INTEGER PRIMARY KEY REFERENCES log) STRICT;

CREATE TRIGGER log_stays   BEFORE UPDATE ON log BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_is_kept BEFORE DELETE ON log BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
CREATE TRIGGER leg_stays   BEFORE UPDATE ON leg BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
CREATE TRIGGER leg_is_kept BEFORE DELETE ON leg BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
