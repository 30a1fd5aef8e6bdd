//! Companies (tenants).

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Result, Row, Tx};

/// A company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Surrogate identifier.
    pub id: Uuid,
    /// The name by which everything else refers to it.
    pub company_id: String,
    /// For people.
    pub name: String,
    /// Where its webhooks go.
    pub webhook_url: Option<String>,
    /// The scheme of its own app's links.
    pub app_link: Option<String>,
    /// Whether its credentials are accepted.
    pub is_active: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The revision of the last change.
    pub revision: i64,
}

macro_rules! columns {
    () => {
        "id, company_id, name, webhook_url, app_link, is_active, created_at, updated_at, revision"
    };
}

impl Company {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.uuid(0, "companies.id")?,
            company_id: row.text(1, "companies.company_id")?,
            name: row.text(2, "companies.name")?,
            webhook_url: row.find_text(3, "companies.webhook_url")?,
            app_link: row.find_text(4, "companies.app_link")?,
            is_active: row.bool(5, "companies.is_active")?,
            created_at: row.time(6, "companies.created_at")?,
            updated_at: row.time(7, "companies.updated_at")?,
            revision: row.int(8, "companies.revision")?,
        })
    }
}

/// Inserts a company; `false` when the name is taken.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, company: &Company) -> Result<bool> {
    let inserted = tx
        .execute(
            concat!(
                "INSERT INTO companies (",
                columns!(),
                ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING"
            ),
            &[
                company.id.into(),
                (&company.company_id).into(),
                (&company.name).into(),
                company.webhook_url.as_deref().into(),
                company.app_link.as_deref().into(),
                company.is_active.into(),
                company.created_at.into(),
                company.updated_at.into(),
                company.revision.into(),
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// Writes what may change of a company; `false` when there is none of that name.
///
/// # Errors
/// Those of the database.
pub async fn update(tx: &mut Tx<'_>, company: &Company) -> Result<bool> {
    let updated = tx
        .execute(
            "UPDATE companies SET name = $2, webhook_url = $3, app_link = $4, is_active = $5, \
             updated_at = $6, revision = $7 WHERE company_id = $1",
            &[
                (&company.company_id).into(),
                (&company.name).into(),
                company.webhook_url.as_deref().into(),
                company.app_link.as_deref().into(),
                company.is_active.into(),
                company.updated_at.into(),
                company.revision.into(),
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// One company by name.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, company_id: &str) -> Result<Option<Company>> {
    tx.find(
        concat!(
            "SELECT ",
            columns!(),
            " FROM companies WHERE company_id = $1"
        ),
        &[company_id.into()],
    )
    .await?
    .as_ref()
    .map(Company::from_row)
    .transpose()
}

/// All companies by name.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<Company>> {
    list_changed(tx, -1).await
}

/// At most `count` companies by name, those after `after`.
///
/// # Errors
/// Those of the database.
pub async fn list_page(tx: &mut Tx<'_>, after: &str, count: i64) -> Result<Vec<Company>> {
    tx.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM companies WHERE company_id > $1 ORDER BY company_id LIMIT $2"
        ),
        &[after.into(), count.into()],
    )
    .await?
    .iter()
    .map(Company::from_row)
    .collect()
}

/// The companies changed after a revision, by name.
///
/// # Errors
/// Those of the database.
pub async fn list_changed(tx: &mut Tx<'_>, after: i64) -> Result<Vec<Company>> {
    tx.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM companies WHERE revision > $1 ORDER BY company_id"
        ),
        &[after.into()],
    )
    .await?
    .iter()
    .map(Company::from_row)
    .collect()
}
