//! The mixed flow, against the hash and the totals that its definition gives, and against what is said of it.

use model::SelfTradePrevention;
use sha2::{Digest, Sha256};
use simulator::mixed::{Mixed, Shape, Totals, What};

const COMMANDS: usize = 1_000_000;

/// The SHA-256 of a flow's first steps, and what comes of them.
fn known(shape: &Shape) -> (String, Totals) {
    let mut flow = Mixed::new(shape);
    let mut hasher = Sha256::new();
    for step in flow.by_ref().take(shape.fewest + COMMANDS) {
        hasher.update(step.to_bytes());
    }
    (format!("{:x}", hasher.finalize()), *flow.totals())
}

#[test]
fn the_flow_is_the_known_one() {
    let (hash, found) = known(&Shape::STANDARD);
    assert_eq!(hash, "9f7159b92fd961827a222ffaece842a46868dd0a3542a11df2140dfdedfffe88");
    let said = Totals {
        commands: [485_067, 80_030, 49_959, 49_736, 20_113, 319_223, 69_992, 12_894, 12_986],
        trades: 259_444,
        volume: 1_806_158,
        prevented: 4_334,
        triggered: 191,
        check: 13_603_497_113_387_686,
    };
    assert_eq!(found, said);
}

#[test]
fn without_stops_the_flow_is_the_known_one() {
    let (hash, found) = known(&Shape { stop_distance: 0, ..Shape::STANDARD });
    assert_eq!(hash, "03bb53a6f2cad5edfea70f65426f3b2b0d4e0ddbd1fe979fc1c8f30a32a218b4");
    let said = Totals {
        commands: [508_059, 79_637, 49_806, 50_226, 20_086, 322_034, 70_152, 0, 0],
        trades: 254_236,
        volume: 1_759_607,
        prevented: 4_173,
        triggered: 0,
        check: 13_330_247_402_353_025,
    };
    assert_eq!(found, said);
}

#[test]
fn shares_and_bounds_are_as_they_are_said_to_be() {
    let shape = Shape { fewest: 5_000, most: 10_000, ..Shape::STANDARD };
    let mut flow = Mixed::new(&shape);
    for _ in flow.by_ref().take(shape.fewest) {}
    let warm = *flow.totals();
    let mut by_account = vec![0_u32; shape.accounts as usize];
    let mut by_market = vec![0_u32; shape.markets as usize];
    for _ in 0..200_000 {
        let step = flow.next().expect("it never ends");
        by_account[step.account as usize - 1] += 1;
        by_market[step.market as usize] += 1;
        assert!(flow.resting() <= shape.most);
    }
    assert!(flow.resting() * 10 >= shape.fewest * 9, "{} rest", flow.resting());
    let permille =
        |what: What| (flow.totals().commands[what as usize] - warm.commands[what as usize]) * 1_000 / 200_000;
    let of = [What::Market, What::Ioc, What::Fok, What::Amend, What::LimitMaker].map(permille);
    let stops = permille(What::StopMarket) + permille(What::StopLimit);
    assert!((20..=33).contains(&stops), "{stops} of a thousand are stops, but for those of whom five wait");
    for (found, said) in of.into_iter().zip([50, 50, 20, 70, 80]) {
        assert!(found.abs_diff(said) <= 3, "{found} of a thousand where {said} are said: {of:?}");
    }
    assert!(permille(What::Cancel) >= 300, "{} of a thousand are cancels", permille(What::Cancel));
    for active in [&mut by_account, &mut by_market] {
        active.sort_unstable_by(|one, other| other.cmp(one));
        let (first, tenth) = (active[0], active[9]);
        assert!((5..20).contains(&(first / tenth)), "the first is {first}, the tenth {tenth} times active");
    }
}

#[test]
fn without_prevention_nothing_is_prevented() {
    let shape = Shape { fewest: 1_000, most: 2_000, accounts: 10, ..Shape::STANDARD };
    let prevented = |self_trade_prevention| {
        let mut flow = Mixed::new(&Shape { self_trade_prevention, ..shape });
        for _ in flow.by_ref().take(20_000) {}
        flow.totals().prevented
    };
    assert_eq!(prevented(SelfTradePrevention::None), 0);
    assert!(prevented(SelfTradePrevention::ExpireMaker) > 100);
}
