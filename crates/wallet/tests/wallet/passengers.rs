//! Who may pay, and who may not.

use std::sync::Arc;

use crate::support::{PASSWORD, SE_ID, Wallet, lin};
use model::Fen;
use wallet::{Code, Device, OpenError, PasswordCost, Payer, Storage, Target};

fn pay(wallet: &Wallet, password: &str) -> Result<(), wallet::Problem> {
    wallet.core.read(&Payer::new("lin", password), Target::Plastic).map(drop)
}

#[test]
fn five_wrong_tries_lock_and_only_time_unlocks() {
    let wallet = Wallet::with_passenger();
    for left in [4, 3, 2, 1] {
        assert_eq!(pay(&wallet, "000000"), Err(Code::PasswordWrong.about(left)));
    }
    let locked = Code::PasswordLocked.about("2014-10-20 08:00:00");
    assert_eq!(pay(&wallet, "000000"), Err(locked.clone()));
    assert_eq!(pay(&wallet, PASSWORD), Err(locked.clone()), "the right one is refused, too");
    wallet.clock.forward(15 * 60 - 1);
    assert_eq!(pay(&wallet, PASSWORD), Err(locked));
    wallet.clock.forward(1);
    assert_eq!(pay(&wallet, "000000"), Err(Code::PasswordWrong.about(4)));
    assert_eq!(pay(&wallet, PASSWORD), Ok(()));
    assert_eq!(pay(&wallet, "000000"), Err(Code::PasswordWrong.about(4)), "a right one wipes the slate");
}

#[test]
fn a_lock_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = Wallet::in_folder(folder.path(), &Arc::default(), 1);
    first.register();
    for _ in 0..5 {
        assert!(pay(&first, "000000").is_err());
    }
    drop(first);
    let second = Wallet::in_folder(folder.path(), &Arc::default(), 2);
    assert_eq!(pay(&second, PASSWORD).unwrap_err().code, Code::PasswordLocked);
}

#[test]
fn guesses_at_once_are_worth_no_more_than_five() {
    let wallet = Wallet::with_passenger();
    let wrong: usize = std::thread::scope(|scope| {
        let guess = || scope.spawn(|| pay(&wallet, "000000").unwrap_err().code == Code::PasswordWrong);
        let guesses: Vec<_> = (0..16).map(|_| guess()).collect();
        guesses.into_iter().map(|guess| usize::from(guess.join().unwrap())).sum()
    });
    assert_eq!(wrong, 4, "the fifth and all others were told that it is locked");
}

#[test]
fn nothing_is_sent_or_held_for_a_wrong_password() {
    let wallet = Wallet::with_passenger();
    let wrong = Payer::new("lin", "000000");
    assert!(wallet.core.load(&wrong, Target::Plastic, Fen::new(100)).is_err());
    assert!(wallet.core.issue(&wrong, "2000".parse().unwrap(), SE_ID).is_err());
    assert!(wallet.core.top_up("lin", "000000", None, Fen::new(100)).is_err());
    assert_eq!((wallet.money(), wallet.centre.requests().len()), ((20_000, 0, 0), 0));
}

#[test]
fn who_registers_again_is_welcome_back_and_paid_once() {
    let wallet = Wallet::with_passenger();
    let account = wallet.core.register("lin", PASSWORD, Fen::new(20_000)).unwrap();
    assert_eq!(account.purse.available, Fen::new(20_000));
    let account = wallet.core.register("lin", PASSWORD, Fen::new(30_000)).unwrap();
    assert_eq!(account.purse.available, Fen::new(20_000));
    let taken = wallet.core.register("lin", "246802", Fen::ZERO).unwrap_err();
    assert_eq!(taken.code, Code::PasswordWrong);
}

#[test]
fn a_name_and_a_password_are_plain() {
    let wallet = Wallet::in_memory();
    for name in ["", " lin", "lin ", "li\nn", &"林".repeat(33)] {
        assert_eq!(
            wallet.core.register(name, PASSWORD, Fen::ZERO).unwrap_err().code,
            Code::NameMalformed,
            "{name}"
        );
    }
    assert!(wallet.core.register(&"林".repeat(32), PASSWORD, Fen::ZERO).is_ok());
    assert_eq!(wallet.core.register("lin", "13579", Fen::ZERO).unwrap_err().code, Code::PasswordWeak);
    assert_eq!(wallet.core.account("lin").unwrap_err().code, Code::UnknownPassenger);
}

#[test]
fn a_phone_is_known_by_its_element() {
    let wallet = Wallet::with_passenger();
    let add = |se_id: &str, phone: &str| {
        let device = Device { se_id: se_id.into(), phone: phone.into(), agent_url: None };
        wallet.core.add_device("lin", PASSWORD, device).map_err(|problem| problem.code)
    };
    assert_eq!(add("4805A", "oppo-find7").unwrap_err(), Code::ElementMalformed);
    assert_eq!(add("4805G0", "oppo-find7").unwrap_err(), Code::ElementMalformed);
    assert_eq!(add("4805A0", "oppo find7").unwrap_err(), Code::PhoneMalformed);
    assert_eq!(add("4805a0", "oppo-find5").unwrap().se_id, SE_ID);
    let devices = wallet.core.account("lin").unwrap().devices;
    assert_eq!(devices.iter().map(|d| d.phone.as_str()).collect::<Vec<_>>(), ["oppo-find5"]);
}

#[test]
fn no_password_is_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet::in_folder(folder.path(), &Arc::default(), 1);
    wallet.register();
    wallet.core.read(&lin(), Target::Plastic).unwrap();
    drop(wallet);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()));
    }
}

#[test]
fn a_wallet_opens_only_on_what_it_can_use() {
    let config = |storage, cost| {
        let mut config =
            crate::support::config(storage, Arc::default(), Wallet::in_memory().clock, Arc::default(), 1);
        config.password_cost = cost;
        wallet::Core::open(config)
    };
    let cost = PasswordCost { memory_kib: 1, passes: 1, lanes: 1 };
    assert!(matches!(config(Storage::Memory, cost), Err(OpenError::Cost(_))));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    assert!(matches!(config(Storage::Folder(file), PasswordCost::CHEAP), Err(OpenError::Folder { .. })));
    std::fs::write(folder.path().join("wallet.db"), "not a database, but long enough to be looked at")
        .unwrap();
    let opened = config(Storage::Folder(folder.path().to_owned()), PasswordCost::CHEAP);
    let error = opened.err().unwrap().to_string();
    assert!(error.contains("wallet.db in "), "{error}");
}

#[test]
fn without_a_demo_no_bank_gives_money_away() {
    let clock = Wallet::in_memory().clock;
    let mut config = crate::support::config(Storage::Memory, Arc::default(), clock, Arc::default(), 1);
    config.demo = None;
    let core = wallet::Core::open(config).unwrap();
    core.register("lin", PASSWORD, Fen::ZERO).unwrap();
    assert_eq!(core.top_up("lin", PASSWORD, None, Fen::new(1)).unwrap_err().code, Code::DemoOnly);
}
