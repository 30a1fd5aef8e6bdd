//! The link from an age verification to a customer of the shop.
//!
//! The customer is made if need be, and keeps evidence of each link.

use domain::age::Assurance;
use domain::contact::Email;
use domain::seal::BlindIndex;
use jiff::Timestamp;
use store::Tx;
use store::tables::age_customers::Verification;
use store::tables::customers;

use crate::customers::Piece;
use crate::orders::{self, News, Pen, Proofs};
use crate::people::sealing;

pub(super) struct Link<'a> {
    pub pen: &'a Pen,
    pub company: &'a str,
    pub email_index: BlindIndex,
    /// The address, when it came with the request: a customer is made only then.
    pub email: Option<&'a Email>,
    pub verification: &'a Verification,
    pub source: &'a str,
    pub request_id: &'a str,
    pub now: Timestamp,
}

/// What is kept, sealed, with the evidence.
#[derive(serde::Serialize)]
struct Metadata<'a> {
    verification_id: &'a str,
}

impl Link<'_> {
    /// Links what was just written, leaves evidence of it, and looks at the customer's orders.
    pub async fn make(&self, tx: &mut Tx<'_>) -> store::Result<News> {
        let known = customers::find_for_update(tx, self.company, self.email_index).await?;
        let piece = self.piece()?;
        let (ring, random) = (&*self.pen.ring, &*self.pen.random);
        match (known, self.email) {
            (Some(known), _) => {
                let key = ring.unwrap(&known.data_key).map_err(sealing)?;
                let previous = Some(known.last_evidence);
                let evidence = piece.keep(tx, random, &key, previous).await?;
                customers::set_last_evidence(tx, self.company, self.email_index, evidence).await?;
            }
            (None, Some(email)) => {
                piece.make_customer(tx, ring, random, email, None).await?;
            }
            // Whom a refused attempt named is not known yet: it counts when the customer is made.
            (None, None) => return Ok(News::default()),
        }
        let (company, request_id) = (self.company, self.request_id);
        look_again(
            self.pen,
            tx,
            company,
            self.email_index,
            request_id,
            self.now,
        )
        .await
    }

    fn piece(&self) -> store::Result<Piece<'_>> {
        let metadata = serde_json::to_vec(&Metadata {
            verification_id: &self.verification.id,
        })
        .map_err(|error| store::Error::Refused(error.to_string()))?;
        Ok(Piece {
            company: self.company,
            email_index: self.email_index,
            proof: "age",
            assurance: Assurance::SelfDeclared.as_str(),
            source: self.source,
            request_id: self.request_id,
            occurred_at: self.verification.validity.verified_at,
            now: self.now,
            metadata,
        })
    }
}

/// What is left of a customer's proof of age, and what that means for the customer's orders. To be
/// called when a verification was linked, no longer counts, or is linked to somebody else.
pub(super) async fn look_again(
    pen: &Pen,
    tx: &mut Tx<'_>,
    company: &str,
    email_index: BlindIndex,
    request_id: &str,
    now: Timestamp,
) -> store::Result<News> {
    // Locked first: what other transactions have linked meanwhile must be seen.
    let Some(known) = customers::find_for_update(tx, company, email_index).await? else {
        return Ok(News::default());
    };
    let age_until = customers::refresh_age(tx, company, email_index).await?;
    let missing = |age_until| pen.missing(&known.standing, age_until, now);
    let (before, after) = (missing(known.age_verified_until), missing(age_until));
    let key = pen.ring.unwrap(&known.data_key).map_err(sealing)?;
    let proofs = Proofs {
        company,
        email_index,
        key: &key,
        before,
        after,
        request_id,
        now,
    };
    orders::look_again(pen, tx, &proofs).await
}

/// Locks two customers in the order in which everybody does, so that nobody waits for each other.
pub(super) async fn lock_in_order(
    tx: &mut Tx<'_>,
    company: &str,
    one: BlindIndex,
    other: Option<BlindIndex>,
) -> store::Result<()> {
    let mut both = vec![one];
    both.extend(other.filter(|other| *other != one));
    both.sort_unstable_by_key(|index| *index.as_bytes());
    for index in both {
        customers::find_for_update(tx, company, index).await?;
    }
    Ok(())
}
