//! The scenarios (认证场景): what a wallet meets sooner or later, each from a fresh passenger on.

mod back;
mod day;
mod fair;
mod faults;
mod hooks;
mod pages;

use crate::driver::Driver;
use crate::finding::{Code, Words};
use crate::play::{Play, Played};
use crate::report::{Report, Run};
use crate::stage::Stage;

struct Scenario {
    code: &'static str,
    title: (&'static str, &'static str),
    play: fn(&mut Play<'_>) -> Played,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        code: "plain-phone",
        title: ("A card onto the phone, and a load of it", "空中开卡并充值"),
        play: fair::phone,
    },
    Scenario {
        code: "plain-plastic",
        title: ("A load of a plastic card", "实体卡充值"),
        play: fair::plastic,
    },
    Scenario {
        code: "extra-fields",
        title: ("Answers with fields that are not known yet", "应答中带有未知字段"),
        play: fair::extra_fields,
    },
    Scenario {
        code: "slow-within",
        title: ("An answer that is slow, but in time", "应答缓慢但未超时"),
        play: faults::slow_within,
    },
    Scenario {
        code: "slow-over",
        title: ("An answer that comes too late", "应答超时"),
        play: faults::slow_over,
    },
    Scenario {
        code: "error-500",
        title: ("500 twice, then all is well", "两次 500 之后恢复"),
        play: faults::error_500,
    },
    Scenario {
        code: "error-503",
        title: ("503 twice, then all is well", "两次 503 之后恢复"),
        play: faults::error_503,
    },
    Scenario {
        code: "answer-lost",
        title: ("The centre acted, and its answer is lost", "清算中心已处理，应答丢失"),
        play: faults::answer_lost,
    },
    Scenario {
        code: "id-taken",
        title: ("The order's id is taken by other content", "订单编号已被其他内容占用"),
        play: faults::id_taken,
    },
    Scenario {
        code: "clock-skew",
        title: ("The clocks differ: signature-clock", "时钟不一致：签名时间被拒"),
        play: faults::clock_skew,
    },
    Scenario {
        code: "clock-after-loss",
        title: ("A lost answer, and then signature-clock", "应答丢失后又遇签名时间被拒"),
        play: faults::clock_after_loss,
    },
    Scenario {
        code: "in-doubt",
        title: ("The card leaves mid-write: in doubt, later settled", "写卡中途离开：存疑，之后了结"),
        play: fair::in_doubt,
    },
    Scenario {
        code: "refused-at-door",
        title: ("The centre refuses the order at once", "清算中心当场拒绝订单"),
        play: faults::refused_at_door,
    },
    Scenario {
        code: "refused-later",
        title: ("The order is refused later; told twice", "订单随后被拒，重复告知"),
        play: faults::refused_later,
    },
    Scenario {
        code: "states-reordered",
        title: ("Old states arrive after the last one", "旧状态在最终状态之后到达"),
        play: faults::reordered,
    },
    Scenario {
        code: "cancel",
        title: ("An order is taken back, twice", "撤单，重复撤"),
        play: back::cancelled,
    },
    Scenario {
        code: "cancel-unheard",
        title: ("The wish to cancel does not arrive", "撤单请求没有送达"),
        play: back::cancel_unheard,
    },
    Scenario {
        code: "refund",
        title: (
            "A card is given back; it leaves mid-debit, and is settled later",
            "退卡：扣款中途离开，之后了结",
        ),
        play: back::refund,
    },
    Scenario {
        code: "webhooks",
        title: (
            "Webhooks: doubled, out of order, forged, old, sent anew",
            "推送：重复、乱序、伪造、过期、重放",
        ),
        play: hooks::webhooks,
    },
    Scenario {
        code: "paging",
        title: ("The centre's list of orders, page by page", "逐页读取订单"),
        play: pages::paging,
    },
    Scenario {
        code: "daily-file",
        title: ("The daily file, held against the orders", "日对账文件与订单核对"),
        play: day::daily_file,
    },
];

/// The codes of all scenarios, in the order in which they are played.
#[must_use]
pub fn scenario_codes() -> Vec<&'static str> {
    SCENARIOS.iter().map(|scenario| scenario.code).collect()
}

/// Plays the scenarios (all, or those of these codes) against a wallet; `told` hears of each as it ends.
pub fn certify(
    stage: &Stage,
    driver: &mut dyn Driver,
    only: &[String],
    told: &mut dyn FnMut(&Run),
) -> Report {
    let chosen = |scenario: &&Scenario| only.is_empty() || only.iter().any(|code| code == scenario.code);
    let mut runs = Vec::new();
    for scenario in SCENARIOS.iter().filter(chosen) {
        let run = run(stage, driver, scenario);
        told(&run);
        runs.push(run);
    }
    let left_out = SCENARIOS.iter().filter(|scenario| !chosen(scenario)).map(|s| s.code.to_owned()).collect();
    Report::new(stage, runs, left_out)
}

fn run(stage: &Stage, driver: &mut dyn Driver, scenario: &Scenario) -> Run {
    let title = Words { en: scenario.title.0.to_owned(), zh: scenario.title.1.to_owned() };
    let (findings, orders, note) = match Play::new(stage, driver, scenario.code) {
        Ok(mut play) => {
            // An early end has said why.
            let _ = play.open().and_then(|()| (scenario.play)(&mut play));
            stage.layer.calm();
            stage.skew(0);
            play.manners();
            let orders = play.sent();
            (play.findings, orders, play.note)
        }
        Err(error) => (vec![Code::KitFailed.seen(error)], Vec::new(), None),
    };
    Run { code: scenario.code.to_owned(), title, passed: findings.is_empty(), orders, findings, note }
}
