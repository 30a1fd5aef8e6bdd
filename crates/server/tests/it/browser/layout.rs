//! Every page on every screen: nothing sticks out, nothing is too faint to read, nothing keeps anybody
//! out as far as axe-core can tell.

use test_support::Browser;
use test_support::browser::{Colours, Page};

use super::site::Site;

const PAGES: [&str; 3] = ["verify", "checkout", "statistics"];

/// Notices of each kind and an error, as they look at their longest.
const FILL: &str = "import('./view.js').then(({ notify, day }) => {
    const place = document.querySelector('#result, #gate, #problem');
    const actions = [{ label: 'Go to checkout', href: '#' }, { label: 'My details have changed', run() {} }];
    const notices = ['good', 'bad', 'wait', 'due'].map((kind) => {
        const text = ['Good until ', day(new Date(0)), '. ', 'x'.repeat(90)];
        notify(place, { kind, title: 'You have no more attempts left', text, actions });
        return place.firstElementChild;
    });
    place.replaceChildren(...notices);
    document.querySelector('#figures')?.removeAttribute('hidden');
    for (const error of document.querySelectorAll('.error')) error.textContent = 'Must be at least 21';
    for (const button of document.querySelectorAll('[disabled]')) button.disabled = false;
})";

/// Texts whose contrast with what is behind them is below 4.5 (3 for large ones), the least that
/// WCAG 2.2 asks for. What is behind is the nearest ancestor's colour that is not see-through.
const FAINT: &str = "(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const channels = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].map((part) => part / 255);
    };
    const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const light = (colour) => {
        const [red, green, blue] = channels(colour).map(linear);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return channels(colour)[3] > 0.99 ? colour : behind(element.parentElement);
    };
    const isFaint = (element) => {
        const { color, fontSize, fontWeight } = getComputedStyle(element);
        const [one, other] = [light(color), light(behind(element))].sort((a, b) => b - a);
        const size = parseFloat(fontSize);
        const large = size >= 24 || (size >= 18.66 && fontWeight >= 700);
        return (one + 0.05) / (other + 0.05) < (large ? 3 : 4.5);
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return [...document.querySelectorAll('body, body *')]
        .filter((element) => hasText(element) && element.checkVisibility() && isFaint(element))
        .map((element) => element.textContent.trim());
})()";

/// What axe-core asks of a page and not of a mail, around which the reader's program puts its own.
const LANDMARKS: [&str; 2] = ["landmark-one-main at ", "region at "];

/// The page fits its screen, can be read, and keeps nobody out. A picture of it is left for people.
pub fn look_at(page: &mut Page, name: &str) {
    look_unaided(page, name);
    assert_eq!(page.violations().unwrap(), [""; 0], "{name}");
}

/// The same of a mail.
pub fn look_at_mail(page: &mut Page, name: &str) {
    look_unaided(page, name);
    let mut violations = page.violations().unwrap();
    violations.retain(|violation| !LANDMARKS.iter().any(|rule| violation.starts_with(rule)));
    assert_eq!(violations, [""; 0], "{name}");
}

/// The page fits its screen and can be read. Where scripts are off axe-core could not look at it.
pub fn look_unaided(page: &mut Page, name: &str) {
    page.picture(name).unwrap();
    let wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
    assert_eq!(
        page.evaluate(wide).unwrap(),
        false,
        "{name} scrolls sideways"
    );
    let faint = page.evaluate(FAINT).unwrap();
    assert_eq!(faint, serde_json::json!([]), "too faint on {name}");
}

/// Everything to fill in has a name, and what is named is named once.
pub fn has_names(page: &mut Page, name: &str) {
    let nameless = "[...document.querySelectorAll('input:not([type=hidden]), select')] \
        .filter((field) => !field.labels.length).map((field) => field.id)";
    let nameless = page.evaluate(nameless).unwrap();
    assert_eq!(nameless, serde_json::json!([]), "{name}");
    let repeated = "[...document.querySelectorAll('[id]')].map(({ id }) => id) \
        .filter((id, at, ids) => ids.indexOf(id) !== at)";
    let repeated = page.evaluate(repeated).unwrap();
    assert_eq!(repeated, serde_json::json!([]), "{name}");
    let headlines = page.evaluate("document.querySelectorAll('h1').length");
    assert_eq!(headlines.unwrap(), 1, "{name}");
}

#[test]
fn pages_fit_their_screens_and_can_be_read() {
    let site = Site::of_the_shop();
    let browser = Browser::start().unwrap();
    let mut page = browser.page().unwrap();
    for (width, height) in [(360, 740), (1280, 800)] {
        page.resize(width, height).unwrap();
        for (colours, word) in [(Colours::Light, "light"), (Colours::Dark, "dark")] {
            page.prefer(colours).unwrap();
            for file in PAGES {
                page.open(&format!("{}/{file}.html", site.origin()))
                    .unwrap();
                let name = format!("{file}-{width}-{word}");
                look_at(&mut page, &name);
                page.evaluate(FILL).unwrap();
                look_at(&mut page, &format!("{name}-full"));
            }
        }
    }
    assert_eq!(page.complaints().unwrap(), [""; 0]);
    let own = site.origin();
    let requests = page.requests().unwrap();
    assert!(
        requests.iter().all(|url| url.starts_with(&own)),
        "{requests:?}"
    );
}

#[test]
fn everything_to_fill_in_has_a_name() {
    let site = Site::of_the_shop();
    let browser = Browser::start().unwrap();
    let mut page = browser.page().unwrap();
    for file in PAGES {
        page.open(&format!("{}/{file}.html", site.origin()))
            .unwrap();
        has_names(&mut page, file);
    }
}
