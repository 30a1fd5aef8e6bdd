//! The channel over which Square is told who has shown an ID: what a delivery names is a customer of
//! Square; what there is to show is looked up at the moment of sending, so that it is true however
//! late it comes.

use std::sync::Arc;

use domain::seal::BlindIndex;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use store::tables::square_customers::{self, SquareCustomer};
use store::{Lane, Tx};

use super::learn::Contact;
use super::{Shown, SquareApi, SquareProblem};
use crate::deliveries::channel::{Channel, Fared, Fate, Line, Note, Parcel, Sent, Tried};
use crate::orders::Pen;
use crate::{App, Result};

/// The name of the channel.
pub const SQUARE: &str = "square";

/// What is shown of somebody who has not, or not any more, shown an ID. Who never had is not shown
/// anything.
pub(super) const NOT_VERIFIED: &str = "not_verified";

/// Tells Square who has shown an ID.
#[derive(Clone)]
pub struct Showing {
    app: Arc<App>,
    company: Arc<str>,
    api: Arc<dyn SquareApi>,
}

/// What is to be shown, and of whom.
struct Due {
    customer: SquareCustomer,
    /// Square's id.
    id: String,
    has_id: bool,
}

impl Showing {
    /// To a seller's account, which is a company's.
    pub fn new(app: Arc<App>, company: Arc<str>, api: Arc<dyn SquareApi>) -> Self {
        Self { app, company, api }
    }

    async fn show(&self, parcel: &Parcel) -> Sent {
        if parcel.company() != &*self.company {
            return Sent::Withheld("another_company");
        }
        let index = match parcel.open() {
            Ok(bytes) => BlindIndex::from_bytes(&bytes),
            Err(unopened) => return unopened.into(),
        };
        let Some(index) = index else {
            return Sent::Withheld("unreadable");
        };
        let due = match self.find(index).await {
            Ok(Some(due)) => due,
            Ok(None) => return Sent::Withheld("unlinked"),
            Err(error) => {
                let (id, cause) = (parcel.id(), error.cause());
                tracing::warn!(%id, cause, "it cannot be found out what Square has to show");
                return Sent::Left;
            }
        };
        let value = self.value(&due);
        match due.customer.shown.as_deref() {
            Some(shown) if shown == value => return Sent::Tried(delivered("shown", None)),
            None if !due.has_id => return Sent::Withheld("nothing_to_show"),
            _ => {}
        }
        let shown = Shown {
            value: &value,
            name: parcel.id(),
            at: parcel.at,
        };
        Sent::Tried(match self.api.show(&due.id, shown).await {
            Ok(()) => delivered("delivered", Some(Noted::of(&due.customer, value))),
            Err(problem) => failed(problem),
        })
    }

    /// `verified_21`: by the age that is asked for here.
    fn value(&self, due: &Due) -> String {
        match due.has_id {
            true => format!("verified_{}", self.app.ages.age.minimum()),
            false => NOT_VERIFIED.to_owned(),
        }
    }

    /// Whom a delivery means, and how they stand now; `None` when they are gone.
    async fn find(&self, index: BlindIndex) -> Result<Option<Due>> {
        let (pen, company) = (Pen::of(&self.app), self.company.clone());
        let found = self.app.store.read(move |mut tx| {
            let (pen, company) = (pen.clone(), company.clone());
            Box::pin(async move { look(&pen, &mut tx, &company, index).await })
        });
        Ok(found.await?)
    }
}

async fn look(
    pen: &Pen,
    tx: &mut Tx<'_>,
    company: &str,
    index: BlindIndex,
) -> store::Result<Option<Due>> {
    let found = square_customers::find(tx, company, index).await?;
    let Some(customer) = found.filter(|one| one.life.is_there()) else {
        return Ok(None);
    };
    let Some(contact) = Contact::open(pen, tx, &customer).await? else {
        return Ok(None);
    };
    let has_id = match customer.subject_index {
        Some(owner) => square_customers::has_id(tx, company, owner).await?,
        None => false,
    };
    Ok(Some(Due {
        customer,
        id: contact.id,
        has_id,
    }))
}

impl Channel for Showing {
    fn open<'a>(
        &'a self,
        _company: &'a str,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<Arc<dyn Line>>> {
        let line: Arc<dyn Line> = Arc::new(self.clone());
        std::future::ready(Ok(line)).boxed()
    }
}

impl Line for Showing {
    fn send<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Sent> {
        self.show(parcel).boxed()
    }
}

/// What Square shows now.
struct Noted {
    company: String,
    index: BlindIndex,
    value: String,
}

impl Noted {
    fn of(customer: &SquareCustomer, value: String) -> Self {
        Self {
            company: customer.company_id.clone(),
            index: customer.square_index,
            value,
        }
    }
}

impl Note for Noted {
    fn lane(&self) -> Lane {
        Lane::of(self.index.as_bytes())
    }

    fn write<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        at: Timestamp,
        _request_id: &'a str,
    ) -> BoxFuture<'a, store::Result<Option<domain::audit::Record>>> {
        async move {
            square_customers::set_shown(tx, &self.company, self.index, &self.value, at).await?;
            Ok(None)
        }
        .boxed()
    }
}

fn delivered(word: &'static str, noted: Option<Noted>) -> Tried {
    Tried {
        word,
        status: None,
        fate: Fate::Delivered,
        line: Fared::Well,
        note: noted.map(|noted| Arc::new(noted) as Arc<dyn Note>),
    }
}

fn failed(problem: SquareProblem) -> Tried {
    let pause = problem.pause();
    let (fate, line) = match problem {
        // Deleted there; the hook that says so is on its way.
        SquareProblem::Unknown => (Fate::Never, Fared::Well),
        _ => {
            let rest = pause.and_then(|pause| SignedDuration::try_from(pause).ok());
            (Fate::Again(pause), Fared::Badly(rest))
        }
    };
    Tried {
        word: problem.word(),
        status: None,
        fate,
        line,
        note: None,
    }
}
