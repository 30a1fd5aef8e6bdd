//! The generated secrets and the directory that keeps them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Barrier};

use bonafide::config::secrets::{FILE_NAME, stored};
use bonafide::config::{Config, Outside};
use tempfile::TempDir;

use super::{KEY, LONG, no_file, owned};

#[test]
fn missing_secrets_come_from_the_data_directory_but_given_ones_win() {
    let home = TempDir::new().unwrap();
    let directory = home.path().join("data");
    let data_dir = directory.to_str().unwrap();
    let outside = Outside {
        read_file: &no_file,
        stored_secrets: &stored,
    };
    let load = |rest: &[(&str, &str)]| {
        let given = [&[("DATA_DIR", data_dir)], rest].concat();
        Config::load(owned(&given), &outside)
    };

    assert!(load(&[("PORT", "wrong")]).is_err());
    assert!(!directory.exists(), "a failed start generates nothing");

    let first = load(&[]).unwrap().secrets;
    assert_eq!(load(&[]).unwrap().secrets, first);
    assert!(first.encryption_keys[0].id.starts_with("k-"));
    assert_ne!(first.index_key, first.jwt_secret);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join(FILE_NAME)), 0o600);
    assert_eq!(
        fs::read_dir(&directory).unwrap().count(),
        1,
        "no draft is left"
    );

    let given = load(&[("JWT_SECRET", LONG)]).unwrap().secrets;
    assert_eq!(given.jwt_secret.expose(), LONG);
    assert_eq!(given.index_key, first.index_key);
}

#[test]
fn processes_that_start_together_agree_on_the_secrets() {
    let home = TempDir::new().unwrap();
    let directory = home.path().join("data");
    let barrier = Arc::new(Barrier::new(8));
    let starting: Vec<_> = (0..8)
        .map(|_| {
            let (barrier, directory) = (Arc::clone(&barrier), directory.clone());
            std::thread::spawn(move || {
                barrier.wait();
                stored(&directory).unwrap()
            })
        })
        .collect();
    let mut secrets = starting.into_iter().map(|thread| thread.join().unwrap());
    let first = secrets.next().unwrap();
    assert!(secrets.all(|other| other == first));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn a_bad_file_of_secrets_is_refused_with_words() {
    let home = TempDir::new().unwrap();
    let path = home.path().join(FILE_NAME);
    let refused = |text: &str, mode: u32| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let problem = stored(home.path()).unwrap_err();
        assert_eq!(problem.name, path.display().to_string());
        problem.text
    };
    assert!(refused("", 0o644).contains("chmod 600"));
    assert!(refused("hunter2", 0o600).contains("is not TOML"));
    assert!(refused("INDEX_KEY = 'x'", 0o600).contains("has no ENCRYPTION_KEYS"));
    let short = format!("ENCRYPTION_KEYS = 'k:{KEY}'\nINDEX_KEY = 'hunter2'");
    let text = refused(&short, 0o600);
    assert!(text.contains("INDEX_KEY is too short") && !text.contains("hunter2"));

    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let text = stored(&file.join("data")).unwrap_err().text;
    assert!(text.contains("cannot be"), "{text}");
}
