//! Flows, fees and positions that sum to zero.

use model::registry::Registry;
use model::{CityCode, LoadRecord, OperatorId, PurseFen, Tac};
use proptest::prelude::*;

use super::*;
use crate::sample::{registry, tap};
use crate::verdict::Reason;

fn ruling(issuer: u16, acquirer: u16, operator: u32, amount: u32) -> Ruling {
    Ruling {
        batch: 1,
        line_no: 2,
        reason: Reason::Accepted,
        route: Route {
            issuer: CityCode::new(issuer).unwrap(),
            acquirer: CityCode::new(acquirer).unwrap(),
            operator: OperatorId::new(operator).unwrap(),
        },
        on: "2014-10-20".parse().unwrap(),
        amount: PurseFen::try_from(amount).unwrap(),
    }
}

fn net(rulings: &[Ruling], registry: &Registry) -> Net {
    let mut netting = Netting::new(registry);
    rulings.iter().for_each(|ruling| netting.add(ruling).unwrap());
    netting.finish().unwrap()
}

fn positions(net: &Net) -> Vec<String> {
    let row = |(party, p): (&Party, &Position)| {
        let own = p.net().unwrap().get();
        format!("{party} {} {} {} {own}", p.debit.get(), p.credit.get(), p.fee.get())
    };
    net.positions.iter().map(row).collect()
}

#[test]
fn an_away_tap_moves_money_and_a_home_tap_does_not() {
    // 5 per mille of 200 fen is 1; of 100 it is 0.5, rounded up to 1. Party, debit, credit, fee, net.
    let net = net(
        &[
            ruling(3150, 2000, 20_000_101, 200),
            ruling(3150, 2000, 20_000_101, 100),
            ruling(2000, 2000, 20_000_101, 400),
        ],
        registry(),
    );
    assert_eq!(
        positions(&net),
        ["issuer:3150 300 0 0 -300", "acquirer:2000 300 300 2 2", "operator:20000101 0 300 -2 298"]
    );
    let flows: Vec<_> = net.flows.values().map(|flow| (flow.taps, flow.amount.get())).collect();
    assert_eq!(flows, [(1, 400), (2, 300)]);
}

#[test]
fn the_issuer_keeps_its_share_by_agreement() {
    // Shanghai cards at Ningbo: the issuer keeps 1 per mille, the acquirer gets 5, the operator the rest.
    let net = net(&[ruling(2000, 3150, 31_500_101, 1_000)], registry());
    assert_eq!(
        positions(&net),
        ["issuer:2000 1000 0 1 -999", "acquirer:3150 1000 1000 5 5", "operator:31500101 0 1000 -6 994"]
    );
}

#[test]
fn what_is_not_paid_moves_nothing() {
    let refused = Ruling { reason: Reason::TacDiffers, ..ruling(3150, 2000, 20_000_101, 200) };
    assert_eq!(net(&[refused], registry()), Net::default());
}

#[test]
fn a_wallet_owes_the_issuer_what_it_loaded_less_its_fee() {
    let load = |wallet: &str, amount: u32| LoadRecord {
        order: "1".into(),
        wallet: wallet.parse().unwrap(),
        card: tap().card,
        issuer: CityCode::new(2000).unwrap(),
        terminal: tap().terminal,
        counter: 1,
        amount: PurseFen::try_from(amount).unwrap(),
        balance_before: PurseFen::ZERO,
        at: "2014-10-20 09:00:00".parse().unwrap(),
        tac: Tac([0; 4]),
    };
    let mut netting = Netting::new(registry());
    netting.add_load(&load("alipay", 5_000)).unwrap();
    netting.add_load(&load("alipay", 3_000)).unwrap();
    assert!(matches!(netting.add_load(&load("nobody", 1)), Err(NettingError::NoLoadAgreement { .. })));
    assert_eq!(
        positions(&netting.finish().unwrap()),
        ["issuer:2000 0 8000 -40 7960", "wallet:alipay 8000 0 40 -7960"]
    );
}

proptest! {
    #[test]
    fn positions_sum_to_zero_whatever_was_tapped(
        taps in prop::collection::vec((0_usize..36, 0_usize..80, 0_u32..=i32::MAX as u32), 0..40),
    ) {
        let cities: Vec<_> = registry().cities().map(|city| city.code).collect();
        let operators: Vec<_> = registry().operators().collect();
        let mut netting = Netting::new(registry());
        for (issuer, operator, amount) in taps {
            let operator = operators[operator % operators.len()];
            let route = Route { issuer: cities[issuer % cities.len()], acquirer: operator.city, operator: operator.id };
            let amount = PurseFen::try_from(amount).unwrap();
            netting.add(&Ruling { route, amount, ..ruling(2000, 2000, 1, 0) }).unwrap();
        }
        let net = netting.finish().unwrap();
        let sum = net.positions.values().map(|p| p.net().unwrap().get()).sum::<i64>();
        let (debit, credit) = net.positions.values().fold((0, 0), |(d, c), p| (d + p.debit.get(), c + p.credit.get()));
        prop_assert_eq!((sum, debit), (0, credit));
    }
}
