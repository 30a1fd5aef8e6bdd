//! The server's own secrets: given, or with the embedded database generated once and kept.
//!
//! Generated ones live in `secrets.toml` (mode 0600) in the data directory, under the names of
//! their variables. Guarantees: the file appears complete or not at all, processes that start at
//! the same time agree on one, a file that others can read is refused, and a variable that is set
//! wins over the file. With PostgreSQL nothing is ever generated: each instance would have its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use aws_lc_rs::rand;
use data_encoding::{BASE64, HEXLOWER};
use zeroize::Zeroizing;

use super::Outside;
use super::groups::Storage;
use super::kinds::DatabaseUrl;
use super::problems::Problem;
use super::reader::Reader;
use super::secret::{EncryptionKey, Secret};
use super::settings::{self, About, Setting};

/// The file in the data directory.
pub const FILE_NAME: &str = "secrets.toml";

/// Keys of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// The newest first; never empty.
    pub encryption_keys: Vec<EncryptionKey>,
    /// The key of the look-ups, at least 32 bytes.
    pub index_key: Secret,
    /// Signs tokens, at least 32 bytes.
    pub jwt_secret: Secret,
}

impl Secrets {
    /// What the variables give, completed from the file where that is allowed.
    pub(super) fn read(
        read: &mut Reader<'_>,
        storage: Option<&Storage>,
        outside: &Outside<'_>,
    ) -> Option<Self> {
        let missing = missing(read);
        let encryption_keys = read.optional(&settings::ENCRYPTION_KEYS);
        let index_key = read.optional(&settings::INDEX_KEY);
        let jwt_secret = read.optional(&settings::JWT_SECRET);
        if missing.is_empty() {
            return Some(Self {
                encryption_keys: encryption_keys?,
                index_key: index_key?,
                jwt_secret: jwt_secret?,
            });
        }
        let storage = storage?;
        if matches!(storage.database, DatabaseUrl::Postgres(_)) {
            for about in missing {
                let text = format!("is required with PostgreSQL: {}", how_to_make(about));
                read.problems.add(about.name, text);
            }
            return None;
        }
        if !read.problems.is_empty() {
            return None;
        }
        match (outside.stored_secrets)(&storage.data_dir) {
            Ok(stored) => Some(Self {
                encryption_keys: encryption_keys.unwrap_or(stored.encryption_keys),
                index_key: index_key.unwrap_or(stored.index_key),
                jwt_secret: jwt_secret.unwrap_or(stored.jwt_secret),
            }),
            Err(Problem { name, text }) => {
                read.problems.add(name, text);
                None
            }
        }
    }
}

fn missing(read: &Reader<'_>) -> Vec<&'static About> {
    [
        &settings::ENCRYPTION_KEYS.about,
        &settings::INDEX_KEY.about,
        &settings::JWT_SECRET.about,
    ]
    .into_iter()
    .filter(|about| !read.is_set(about))
    .collect()
}

fn how_to_make(about: &About) -> &'static str {
    if about.name == settings::ENCRYPTION_KEYS.about.name {
        "make one with `echo \"k1:$(openssl rand -base64 32)\"`"
    } else {
        "make one with `openssl rand -base64 32`"
    }
}

/// Reads the secrets kept in `data_dir`, generating them if there are none yet.
///
/// # Errors
/// The directory or the file cannot be used; the problem says what to do.
pub fn stored(data_dir: &Path) -> Result<Secrets, Problem> {
    let path = data_dir.join(FILE_NAME);
    let problem = |text: String| Problem {
        name: path.display().to_string(),
        text,
    };
    let exists = path
        .try_exists()
        .map_err(|error| problem(format!("cannot be reached: {error}")))?;
    if !exists {
        create(data_dir, &path).map_err(|error| {
            problem(format!(
                "cannot be created: {error}; make the directory writable, name another with \
                 DATA_DIR, or set the secrets as variables"
            ))
        })?;
    }
    refuse_if_open_to_others(&path).map_err(problem)?;
    let text = fs::read_to_string(&path)
        .map(Zeroizing::new)
        .map_err(|error| problem(format!("cannot be read: {error}")))?;
    parse(&text).map_err(problem)
}

/// Secrets of this process alone: for looking around, and for what is not kept.
///
/// # Errors
/// There is no randomness.
pub fn unkept() -> Result<Secrets, Problem> {
    let problem = |text: String| Problem {
        name: FILE_NAME.to_owned(),
        text,
    };
    let text = fresh().map_err(|error| problem(error.to_string()))?;
    parse(&text).map_err(problem)
}

fn parse(text: &str) -> Result<Secrets, String> {
    // The parser's own message would repeat the line it stumbled over.
    let table: toml::Table = text.parse().map_err(|_| "is not TOML".to_owned())?;
    Ok(Secrets {
        encryption_keys: entry(&table, &settings::ENCRYPTION_KEYS)?,
        index_key: entry(&table, &settings::INDEX_KEY)?,
        jwt_secret: entry(&table, &settings::JWT_SECRET)?,
    })
}

fn entry<T>(table: &toml::Table, setting: &Setting<T>) -> Result<T, String> {
    let name = setting.about.name;
    let text = table
        .get(name)
        .and_then(toml::Value::as_str)
        .ok_or_else(|| format!("has no {name}: restore the file from a backup"))?;
    (setting.parse)(text).map_err(|reason| format!("has a bad entry: {name} {reason}"))
}

/// Writes new secrets beside the final name, then links them to it, which fails if somebody else
/// was faster: theirs count then.
fn create(data_dir: &Path, path: &Path) -> io::Result<()> {
    create_private_directory(data_dir)?;
    let draft = data_dir.join(format!("{FILE_NAME}.{}", HEXLOWER.encode(&*random::<8>()?)));
    let linked = write_private(&draft, &fresh()?).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => removed,
        Err(error) => Err(error),
        Ok(()) => removed.and_then(|()| File::open(data_dir)?.sync_all()),
    }
}

fn fresh() -> io::Result<Zeroizing<String>> {
    let encoded = || io::Result::Ok(Zeroizing::new(BASE64.encode(&*random::<32>()?)));
    // A key id of its own for each installation: data sealed elsewhere is then recognised as such.
    let id = HEXLOWER.encode(&*random::<4>()?);
    Ok(Zeroizing::new(format!(
        "# The secrets of this installation, generated at its first start.\n\
         # Keep a copy in a safe place: without them its data cannot be read.\n\
         ENCRYPTION_KEYS = \"k-{id}:{}\"\nINDEX_KEY = \"{}\"\nJWT_SECRET = \"{}\"\n",
        *encoded()?,
        *encoded()?,
        *encoded()?,
    )))
}

fn random<const LENGTH: usize>() -> io::Result<Zeroizing<[u8; LENGTH]>> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| io::Error::other("no randomness"))?;
    Ok(bytes)
}

fn create_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn refuse_if_open_to_others(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(
        "can be read by others: `chmod 600` it, and replace its secrets if they may be known"
            .to_owned(),
    )
}

#[cfg(not(unix))]
fn refuse_if_open_to_others(_path: &Path) -> Result<(), String> {
    Ok(())
}
