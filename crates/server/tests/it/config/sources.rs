//! Where values come from: the process, a file of settings, files of their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use bonafide::config::{Config, Outside, environment};
use tempfile::TempDir;

use super::{LONG, SECRETS, no_file, nothing_stored, owned};

#[test]
fn a_value_can_come_from_a_file() {
    let read_file = |path: &Path| match path.to_str() {
        Some("/run/secrets/jwt") => Ok(format!(" {LONG}\r\n")),
        Some("/run/secrets/empty") => Ok("\n".to_owned()),
        _ => no_file(path),
    };
    let outside = Outside {
        read_file: &read_file,
        stored_secrets: &nothing_stored,
    };
    let load = |name: &str, file: &str, rest: &[(&str, &str)]| {
        let given = [&SECRETS[..2], &[(name, file)], rest].concat();
        Config::load(owned(&given), &outside)
    };
    let config = load("JWT_SECRET_FILE", "/run/secrets/jwt", &[]).unwrap();
    assert_eq!(config.secrets.jwt_secret.expose(), format!(" {LONG}"));

    for (file, rest, name, words) in [
        (
            "/run/secrets/none",
            &[][..],
            "JWT_SECRET_FILE",
            "cannot be read",
        ),
        ("/run/secrets/empty", &[], "JWT_SECRET_FILE", "empty file"),
        (
            "/run/secrets/jwt",
            &[("JWT_SECRET", LONG)],
            "JWT_SECRET",
            "both set",
        ),
    ] {
        let wrong = load("JWT_SECRET_FILE", file, rest).unwrap_err();
        assert_eq!(wrong.0.len(), 1, "{wrong}");
        assert_eq!(wrong.0[0].name, name);
        assert!(wrong.0[0].text.contains(words), "{wrong}");
    }
}

#[test]
fn the_process_wins_over_the_file() {
    let home = TempDir::new().unwrap();
    let file = home.path().join(".env");
    let process = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
    let variables = |list: Vec<(OsString, OsString)>| environment::variables(&file, list);

    assert_eq!(
        variables(vec![]).unwrap(),
        BTreeMap::new(),
        "no file, no matter"
    );

    fs::write(
        &file,
        "# a comment\nPORT=4000\nexport BIND='0.0.0.0'\nLOG_LEVEL=debug\n",
    )
    .unwrap();
    let given = variables(vec![process("PORT", "5000"), process("LOG_LEVEL", "")]).unwrap();
    assert_eq!(given["PORT"], "5000");
    assert_eq!(given["BIND"], "0.0.0.0");
    assert_eq!(given["LOG_LEVEL"], "debug");

    fs::write(&file, "PORT=4000\nJWT_SECRET=two words hunter2\n").unwrap();
    let text = variables(vec![]).unwrap_err().to_string();
    assert!(text.contains("malformed line after PORT"), "{text}");
    assert!(!text.contains("hunter2"));

    fs::write(&file, "").unwrap();
    let no_text = OsString::from_vec(vec![0xFF]);
    let mixed = vec![("PORT".into(), no_text.clone()), ("OTHER".into(), no_text)];
    let text = variables(mixed).unwrap_err().to_string();
    assert!(text.contains("PORT is not UTF-8") && !text.contains("OTHER"));
}
