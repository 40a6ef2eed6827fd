//! The deny list (黑名单): cards that their city or a refund has put on it for good, and lost cards, which may leave it.
//!
//! Invariant: each change has a version of its own, greater than all before; nothing is taken back, so what the list
//! said at any version can be told. A lost card that is found leaves the list; a city's own word stands beside it.

use std::collections::BTreeMap;

use super::db::{Db, DbResult, params};
use super::parsed;
use clearing::judge::{Denial, DenyList};
use model::{CardNumber, CardTime, CityCode};

/// The deny list as it stands, with the stays that are over.
pub(crate) fn deny_list(db: &Db) -> DbResult<DenyList> {
    let mut cards: BTreeMap<_, Vec<Denial>> = BTreeMap::new();
    db.each("SELECT number, city, since FROM denied ORDER BY version", params![], |row| -> DbResult<()> {
        let stay = Denial { since: parsed(row, "since")?, until: None };
        cards.entry((parsed(row, "city")?, parsed(row, "number")?)).or_default().push(stay);
        Ok(())
    })?;
    let losses = "SELECT lost.number, lost.city, lost.since, found.since AS until
                  FROM losses lost LEFT JOIN losses found ON found.lifts = lost.version
                  WHERE lost.lifts IS NULL ORDER BY lost.version";
    db.each(losses, params![], |row| -> DbResult<()> {
        let stay = Denial { since: parsed(row, "since")?, until: super::parsed_if_any(row, "until")? };
        cards.entry((parsed(row, "city")?, parsed(row, "number")?)).or_default().push(stay);
        Ok(())
    })?;
    Ok(DenyList { version: version(db)?, cards })
}

/// The version of the last change; 0 before the first.
fn version(db: &Db) -> DbResult<u32> {
    db.figure(
        "SELECT CAST(coalesce(max(version), 0) AS BIGINT)
         FROM (SELECT version FROM denied UNION ALL SELECT version FROM losses) AS changes",
        params![],
    )
}

fn next_version(db: &Db) -> DbResult<u32> {
    Ok(version(db)?.saturating_add(1))
}

/// Puts a card on the deny list for good; one that stands there so already keeps its first moment.
pub(crate) fn deny(db: &Db, city: CityCode, number: CardNumber, since: CardTime) -> DbResult<()> {
    db.execute(
        "INSERT INTO denied (version, number, city, since) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        params![next_version(db)?, number.raw(), city.to_string(), since.to_string()],
    )?;
    Ok(())
}

/// Puts a lost card on the deny list.
pub(crate) fn deny_lost(db: &Db, city: CityCode, number: CardNumber, since: CardTime) -> DbResult<()> {
    db.execute(
        "INSERT INTO losses (version, number, city, since) VALUES ($1, $2, $3, $4)",
        params![next_version(db)?, number.raw(), city.to_string(), since.to_string()],
    )?;
    Ok(())
}

/// A lost card is found: its stay ends. A card that is not on the list as lost is left as it is.
pub(crate) fn lift_lost(db: &Db, city: CityCode, number: CardNumber, until: CardTime) -> DbResult<()> {
    db.execute(
        "INSERT INTO losses (version, number, city, since, lifts)
         SELECT CAST($1 AS BIGINT), number, city, CAST($4 AS TEXT), version FROM losses AS lost
         WHERE number = $2 AND city = $3 AND lifts IS NULL
           AND NOT EXISTS (SELECT 1 FROM losses AS found WHERE found.lifts = lost.version)",
        params![next_version(db)?, number.raw(), city.to_string(), until.to_string()],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn each_change_has_its_version_and_a_found_card_keeps_what_its_city_says() {
        let store = Store::in_memory().unwrap();
        let db = store.read();
        let (city, card) = (CityCode::new(2000).unwrap(), CardNumber::new([0x20, 0, 0, 0, 0, 0, 0, 1]));
        let at = |second: &str| format!("2014-10-20 08:00:0{second}").parse::<CardTime>().unwrap();
        let standing = || {
            let list = deny_list(db).unwrap();
            (list.version, list.standing().map(|(_, _, since)| since).collect::<Vec<_>>())
        };
        assert_eq!(standing(), (0, vec![]));
        lift_lost(db, city, card, at("0")).unwrap();
        assert_eq!(standing(), (0, vec![]), "nothing to lift");
        deny_lost(db, city, card, at("1")).unwrap();
        assert_eq!(standing(), (1, vec![at("1")]));
        lift_lost(db, city, card, at("2")).unwrap();
        lift_lost(db, city, card, at("9")).unwrap();
        assert_eq!(standing(), (2, vec![]), "once");
        deny_lost(db, city, card, at("3")).unwrap();
        deny(db, city, card, at("4")).unwrap();
        deny(db, city, card, at("9")).unwrap();
        assert_eq!(standing(), (4, vec![at("3")]));
        lift_lost(db, city, card, at("5")).unwrap();
        assert_eq!(standing(), (5, vec![at("4")]), "its city's word stands");
        let list = deny_list(db).unwrap();
        let denied: Vec<bool> = ["0", "1", "2", "3", "5"].map(|s| list.denies(city, card, at(s))).to_vec();
        assert_eq!(denied, [false, true, false, true, true]);
    }
}
