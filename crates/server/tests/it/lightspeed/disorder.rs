//! Whatever the shop's staff does to an order while its hooks are late, lost in a queue or repeated: the
//! shop's last word stands.

use app::lightspeed::Standing;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use super::{Stage, event, held, hook};
use crate::customers;
use crate::harness::{TestApp, flows};

flows!(the_shops_last_word_stands);

/// How many stories are told.
const ROUNDS: usize = 24;

/// What the shop's staff does to an order, and is told of by a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// It is there, paid, and this customer's: the first or the second one.
    Stands(usize),
    Cancels,
    Refunds,
    Deletes,
}

const DEEDS: [Deed; 6] = [
    Deed::Stands(0),
    Deed::Stands(1),
    Deed::Stands(0),
    Deed::Cancels,
    Deed::Refunds,
    Deed::Deletes,
];

/// Some of the hooks of what was done before, and after each whether a worker works.
type Told = Vec<(Index, bool)>;

/// Seven deeds. After each of them some of the hooks come in that are on their way, and in the end all of
/// them, in any order; every other one comes under a name of its own and is processed again.
async fn the_shops_last_word_stands(app: TestApp) {
    let stage = Stage::set(&app).await;
    let scopes = "customers:write customers:read orders:read";
    let key = stage
        .app
        .key_with("default", scopes, "customers=off", None)
        .await;
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    let deeds = proptest::collection::vec(prop::sample::select(&DEEDS[..]), 7);
    let told = proptest::collection::vec(any::<(Index, bool)>(), 0..3);
    let told = proptest::collection::vec(told, 7);
    let all = Just((0..7).collect::<Vec<usize>>()).prop_shuffle();
    let mut stood = 0;
    for round in 0..ROUNDS {
        let story = (deeds.clone(), told.clone(), all.clone());
        let (deeds, told, all) = story.new_tree(&mut runner).unwrap().current();
        let play = Play {
            stage: &stage,
            order: format!("O-{round}"),
            emails: ["a", "b"].map(|name| format!("{name}{round}@example.com")),
        };
        play.go_on(&deeds, &told).await;
        for number in all {
            play.tell(&deeds, number, 100 + number).await;
        }
        // What came when the order was not there is tried again.
        for _ in 0..3 {
            stage.work().await;
            stage.app.advance(std::time::Duration::from_secs(60));
        }
        stood += usize::from(play.ends_as(&key, deeds[6]).await);
    }
    assert!((1..ROUNDS).contains(&stood), "both ends are seen");
}

struct Play<'a> {
    stage: &'a Stage,
    order: String,
    emails: [String; 2],
}

impl Play<'_> {
    async fn go_on(&self, deeds: &[Deed], told: &[Told]) {
        for (number, (deed, told)) in deeds.iter().zip(told).enumerate() {
            self.happens(*deed);
            for (turn, (which, works)) in told.iter().enumerate() {
                self.tell(deeds, which.index(number + 1), 10 * number + turn)
                    .await;
                if *works {
                    self.stage.work().await;
                }
            }
        }
    }

    fn happens(&self, deed: Deed) {
        let shop = &self.stage.shop;
        match deed {
            Deed::Stands(whose) => {
                let fields = json!({"email": self.emails[whose], "paymentStatus": "PAID"});
                shop.order(&self.order, fields);
            }
            Deed::Cancels => shop.order(&self.order, json!({"paymentStatus": "CANCELLED"})),
            Deed::Refunds => shop.order(&self.order, json!({"paymentStatus": "REFUNDED"})),
            Deed::Deletes => shop.delete(&self.order),
        }
    }

    /// The hook about the deed of that number.
    async fn tell(&self, deeds: &[Deed], number: usize, turn: usize) {
        let kind = match deeds[number] {
            Deed::Deletes => "order.deleted",
            _ if number == 0 => "order.created",
            _ => "order.updated",
        };
        let name = match turn.is_multiple_of(2) {
            true => format!("{}-{number}", self.order),
            false => format!("{}-{number}-{turn}", self.order),
        };
        let told = event(&name, kind, &self.order);
        hook(&self.stage.app, &told).expect(200).await;
    }

    /// Whether the order stands, as it does if that was the last deed; then it is its last customer's.
    async fn ends_as(&self, key: &str, last: Deed) -> bool {
        let standing = self.stage.standing(&self.order).await;
        let Deed::Stands(whose) = last else {
            let ended = matches!(standing, None | Some(Standing::Cancelled));
            assert!(ended, "{} {last:?}: {standing:?}", self.order);
            return false;
        };
        assert_eq!(standing, Some(held()), "{}", self.order);
        for proof in crate::orders::PROOFS {
            customers::prove(&self.stage.app, key, &self.emails[whose], proof, true).await;
        }
        let standing = self.stage.standing(&self.order).await;
        assert_eq!(standing, Some(Standing::Released), "{}", self.order);
        true
    }
}
