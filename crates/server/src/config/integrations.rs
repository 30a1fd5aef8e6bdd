//! What the integrations need. Each is off until it is configured, and half of it is a mistake.

use std::path::PathBuf;

use domain::age::State;

use super::kinds::BaseUrl;
use super::reader::Reader;
use super::secret::Secret;
use super::settings::{self, About};

/// Notes an address that a secret would travel to in the clear.
fn confidential(read: &mut Reader<'_>, about: &About, url: Option<&BaseUrl>) {
    if url.is_some_and(|url| !url.is_confidential()) {
        let text = "must begin with https://: a secret travels with every request";
        read.problems.add(about.name, text);
    }
}

/// Lightspeed eCom.
#[derive(Clone, Debug)]
pub struct Lightspeed {
    /// With the version, for example `https://app.ecwid.com/api/v3`.
    pub api_url: BaseUrl,
    /// The number of the store.
    pub store_id: String,
    /// Access.
    pub token: Secret,
    /// Signs its webhooks.
    pub client_secret: Secret,
    /// Signs what was sent before the secret changed.
    pub previous_client_secret: Option<Secret>,
    /// The fulfilment status of held orders.
    pub held_status: Option<String>,
    /// The fulfilment status of orders that were held and are released.
    pub released_status: Option<String>,
}

impl Lightspeed {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let api_url = read.value(&settings::LIGHTSPEED_API_URL);
        let store_id = read.optional(&settings::LIGHTSPEED_STORE_ID);
        let token = read.optional(&settings::LIGHTSPEED_TOKEN);
        let client_secret = read.optional(&settings::LIGHTSPEED_CLIENT_SECRET);
        let previous_client_secret = read.optional(&settings::LIGHTSPEED_PREVIOUS_CLIENT_SECRET);
        let held_status = read.optional(&settings::LIGHTSPEED_HELD_STATUS);
        let released_status = read.optional(&settings::LIGHTSPEED_RELEASED_STATUS);
        read.all_or_none(&[
            &settings::LIGHTSPEED_STORE_ID.about,
            &settings::LIGHTSPEED_TOKEN.about,
            &settings::LIGHTSPEED_CLIENT_SECRET.about,
        ]);
        confidential(read, &settings::LIGHTSPEED_API_URL.about, api_url.as_ref());
        if released_status.is_some() && held_status.is_none() {
            let text = "is used only with LIGHTSPEED_HELD_STATUS: no other order was held by us";
            let name = settings::LIGHTSPEED_RELEASED_STATUS.about.name;
            read.problems.add(name, text);
        }
        Some(Self {
            api_url: api_url?,
            store_id: store_id?,
            token: token?,
            client_secret: client_secret?,
            previous_client_secret,
            held_status,
            released_status,
        })
    }
}

/// Square.
#[derive(Clone, Debug)]
pub struct Square {
    /// Scheme and host.
    pub api_url: BaseUrl,
    /// Access.
    pub access_token: Secret,
    /// Signs its webhooks.
    pub signature_key: Secret,
    /// Signs what was sent before the key changed.
    pub previous_signature_key: Option<Secret>,
    /// Part of what is signed, so exactly as given to Square.
    pub notification_url: String,
    /// The key of the custom attribute that shows who is verified.
    pub attribute: Option<String>,
}

impl Square {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let api_url = read.value(&settings::SQUARE_API_URL);
        let access_token = read.optional(&settings::SQUARE_ACCESS_TOKEN);
        let signature_key = read.optional(&settings::SQUARE_SIGNATURE_KEY);
        let previous_signature_key = read.optional(&settings::SQUARE_PREVIOUS_SIGNATURE_KEY);
        let notification_url = read.optional(&settings::SQUARE_NOTIFICATION_URL);
        let attribute = read.optional(&settings::SQUARE_ATTRIBUTE);
        read.all_or_none(&[
            &settings::SQUARE_ACCESS_TOKEN.about,
            &settings::SQUARE_SIGNATURE_KEY.about,
            &settings::SQUARE_NOTIFICATION_URL.about,
        ]);
        confidential(read, &settings::SQUARE_API_URL.about, api_url.as_ref());
        Some(Self {
            api_url: api_url?,
            access_token: access_token?,
            signature_key: signature_key?,
            previous_signature_key,
            notification_url: notification_url?,
            attribute,
        })
    }
}

/// Veriff.
#[derive(Clone, Debug)]
pub struct Veriff {
    /// Scheme and host.
    pub api_url: BaseUrl,
    /// Access.
    pub api_key: Secret,
    /// Signs requests and webhooks.
    pub shared_secret: Secret,
    /// Signs what was sent before the secret changed.
    pub previous_secret: Option<Secret>,
    /// Where the store is.
    pub store_state: State,
}

impl Veriff {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let api_url = read.value(&settings::VERIFF_API_URL);
        let api_key = read.optional(&settings::VERIFF_API_KEY);
        let shared_secret = read.optional(&settings::VERIFF_SHARED_SECRET);
        let previous_secret = read.optional(&settings::VERIFF_PREVIOUS_SECRET);
        let store_state = read.value(&settings::VERIFF_STORE_STATE);
        read.all_or_none(&[
            &settings::VERIFF_API_KEY.about,
            &settings::VERIFF_SHARED_SECRET.about,
        ]);
        confidential(read, &settings::VERIFF_API_URL.about, api_url.as_ref());
        Some(Self {
            api_url: api_url?,
            api_key: api_key?,
            shared_secret: shared_secret?,
            previous_secret,
            store_state: store_state?,
        })
    }
}

/// BigQuery.
#[derive(Clone, Debug)]
pub struct BigQuery {
    /// With the version, for example `https://bigquery.googleapis.com/bigquery/v2`.
    pub api_url: BaseUrl,
    /// The project.
    pub project: String,
    /// The dataset.
    pub dataset: String,
    /// A service account's key; without it the machine's own account.
    pub credentials_file: Option<PathBuf>,
}

impl BigQuery {
    pub(super) fn read(read: &mut Reader<'_>) -> Option<Self> {
        let enabled = read.value(&settings::BIGQUERY_ENABLED);
        let api_url = read.value(&settings::BIGQUERY_API_URL);
        let project = read.optional(&settings::BIGQUERY_PROJECT);
        let dataset = read.optional(&settings::BIGQUERY_DATASET);
        let credentials_file = read.optional(&settings::BIGQUERY_CREDENTIALS_FILE);
        if enabled != Some(true) {
            return None;
        }
        confidential(read, &settings::BIGQUERY_API_URL.about, api_url.as_ref());
        for about in [
            &settings::BIGQUERY_PROJECT.about,
            &settings::BIGQUERY_DATASET.about,
        ] {
            if !read.is_set(about) {
                let text = "is required with BIGQUERY_ENABLED=true";
                read.problems.add(about.name, text);
            }
        }
        Some(Self {
            api_url: api_url?,
            project: project?,
            dataset: dataset?,
            credentials_file,
        })
    }
}
