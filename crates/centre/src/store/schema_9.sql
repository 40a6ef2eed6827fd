-- centre.db, version 9: lost cards (挂失). A card's stays on the deny list because of a loss, each change under the list's own version.
CREATE TABLE losses (
    version INTEGER PRIMARY KEY,            -- of the list, from this change on; no number is also one of `denied`
    number  TEXT NOT NULL,
    city    TEXT NOT NULL,
    since   TEXT NOT NULL,                  -- taps from then on are not paid; where it ends a stay: paid again
    lifts   INTEGER UNIQUE                  -- the change whose stay this one ends
) STRICT;
CREATE INDEX losses_by_card ON losses (city, number);
