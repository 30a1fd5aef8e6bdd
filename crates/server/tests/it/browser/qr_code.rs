//! Reads a QR code off the screen, as the camera of a phone would.

use data_encoding::BASE64;
use rqrr::PreparedImage;
use serde_json::json;
use test_support::Browser;
use test_support::browser::Page;

/// The brightness of every pixel of a picture, one byte each, row by row.
const BRIGHTNESS: &str = "(async (url) => {
    const picture = await createImageBitmap(await (await fetch(url)).blob());
    const { width, height } = picture;
    const canvas = new OffscreenCanvas(width, height).getContext('2d');
    canvas.drawImage(picture, 0, 0);
    const { data } = canvas.getImageData(0, 0, width, height);
    const bright = Uint8Array.from({ length: width * height }, (_, at) => data[4 * at + 1]);
    const encoded = new FileReader();
    const done = new Promise((resolve) => { encoded.onload = resolve; });
    encoded.readAsDataURL(new Blob([bright]));
    await done;
    return { width, bright: encoded.result.split(',')[1] };
})";

/// The texts of all QR codes that a page shows.
pub fn read(browser: &Browser, page: &mut Page) -> Vec<String> {
    let picture = BASE64.encode(&page.screenshot().unwrap());
    // In a page of its own, since the policy of the other lets no picture in.
    let mut darkroom = browser.page().unwrap();
    let url = json!(format!("data:image/png;base64,{picture}"));
    let seen = darkroom.evaluate(&format!("{BRIGHTNESS}({url})")).unwrap();
    let width = usize::try_from(seen["width"].as_u64().unwrap()).unwrap();
    let bright = BASE64
        .decode(seen["bright"].as_str().unwrap().as_bytes())
        .unwrap();
    let pixel = |x: usize, y: usize| bright[y * width + x];
    let mut image = PreparedImage::prepare_from_greyscale(width, bright.len() / width, pixel);
    let codes = image.detect_grids();
    codes.iter().map(|code| code.decode().unwrap().1).collect()
}
