-- wallet.db, version 2: daily files, kept byte for byte until the centre has them.
CREATE TABLE day_files (
    day  TEXT PRIMARY KEY,
    file TEXT NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0         -- 1: the centre has given its receipt
) STRICT;
