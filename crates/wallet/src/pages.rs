//! Walking the centre's list of our orders (翻页), a page at a time.
//!
//! Invariant: where the next page begins is the centre's word; a page that did not come is asked for again from the same
//! place, so that nothing is lost or seen twice.

use serde::Deserialize;

use crate::core::Core;
use crate::problem::{Code, Problem};

/// How often a page is asked for before the walk is given up.
const TRIES: u32 = 3;

#[derive(Deserialize)]
struct Page {
    orders: Vec<Named>,
    #[serde(default)]
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

impl Core {
    /// The ids of all orders that the centre has of this wallet, oldest first.
    ///
    /// # Errors
    /// [`Code::CentreSilent`] or [`Code::CentreRefused`]; also for a page that leads back, which would never end.
    pub fn orders_at_centre(&self) -> Result<Vec<String>, Problem> {
        let (mut ids, mut after) = (Vec::new(), 0_u64);
        loop {
            let page = self.page(after)?;
            ids.extend(page.orders.into_iter().map(|order| order.id));
            match page.next {
                None => return Ok(ids),
                Some(next) if next > after => after = next,
                Some(next) => return Err(Code::CentreRefused.about(format!("page {after} leads to {next}"))),
            }
        }
    }

    fn page(&self, after: u64) -> Result<Page, Problem> {
        let path = format!("/v1/orders?after={after}");
        let mut page = self.ask(&path);
        for _ in 1..TRIES {
            match &page {
                Err(problem) if problem.code == Code::CentreSilent => page = self.ask(&path),
                _ => break,
            }
        }
        page
    }
}
