//! The pages read as one book: every link leads somewhere, and every page is reached from the README.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{files, root, text};

/// The pages that a reader finds.
fn pages() -> Vec<PathBuf> {
    let mut pages = files("docs");
    pages.extend(files("deploy"));
    pages.extend(files("examples"));
    for page in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        pages.push(page.into());
    }
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages
}

/// Where the links of a page lead: the file, and the heading in it.
fn links(page: &Path) -> Vec<(PathBuf, Option<String>)> {
    let text = text(page);
    let targets = text.split("](").skip(1);
    let targets = targets
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target);
    let own = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    own.map(|target| {
        let (file, heading) = match target.split_once('#') {
            Some((file, heading)) => (file, Some(heading.to_owned())),
            None => (target, None),
        };
        let folder = page.parent().unwrap();
        let led = match file {
            "" => page.to_owned(),
            file => normal(&folder.join(file)),
        };
        (led, heading)
    })
    .collect()
}

/// The path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(normal.pop(), "{} leads outside", path.display()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// The names by which the headings of a page are linked.
fn headings(page: &Path) -> BTreeSet<String> {
    let text = text(page);
    let titles = text.lines().filter(|line| line.starts_with('#'));
    let names = titles.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        kept.map(|letter| if letter == ' ' { '-' } else { letter })
            .collect()
    });
    names.collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        for (file, heading) in links(&page) {
            let (from, to) = (page.display(), file.display());
            assert!(root().join(&file).exists(), "{from}: there is no {to}");
            if let Some(heading) = heading {
                let has = headings(&file).contains(&heading);
                assert!(has, "{from}: {to} has no heading {heading}");
            }
        }
    }
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let mut reached = BTreeSet::new();
    let mut unread = vec![PathBuf::from("README.md")];
    while let Some(page) = unread.pop() {
        let is_page = page.extension().is_some_and(|extension| extension == "md");
        if is_page && reached.insert(page.clone()) {
            unread.extend(links(&page).into_iter().map(|(file, _)| file));
        }
    }
    for page in pages() {
        assert!(
            reached.contains(&page),
            "nothing leads to {}",
            page.display()
        );
    }
}
