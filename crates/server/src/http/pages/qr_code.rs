//! QR codes, as SVG within a page.

use app::Error;
use fast_qr::convert::Builder as _;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{ECL, QRBuilder};
use minijinja::Value;

use crate::http::conventions::failure::Failure;

/// Draws the code of a text as markup: black on white also where the page is dark, since cameras
/// expect that, with the quiet zone of four modules around that ISO/IEC 18004 asks for.
///
/// # Errors
/// When the text is longer than a code can hold, about 2,300 bytes.
pub fn qr_code(text: &str) -> Result<Value, Failure> {
    let code = QRBuilder::new(text)
        .ecl(ECL::M)
        .build()
        .map_err(|_| Error::internal("the text is too long for a QR code"))?;
    let drawn = SvgBuilder::default().margin(4).to_str(&code);
    Ok(Value::from_safe_string(drawn))
}
