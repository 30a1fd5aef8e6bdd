//! The page that lists the machine words of failures.

use std::fmt::Write as _;

use app::Code;

const OPENING: &str = "\
# Failures

<!-- Generated from the list of codes. `UPDATE_GENERATED=1 cargo test -p bonafide` writes it anew. -->

A failed request is answered with a status, and with a body in the shape of what was asked. The word in
`code` is stable: words are added, never changed, so a program should decide by it and by nothing
else; `message` is for people. Every answer carries `X-Request-Id`, which the log and the audit record
carry too.

Customers, orders, the audit log, administration, hooks, and paths that do not exist:

```json
{\"error\":{\"code\":\"invalid_request\",\"message\":\"email: is required\",\"request_id\":\"0192f3a1-7c44-7d10-9b5e-3f8a2c6d1e07\",\"details\":[{\"field\":\"email\",\"message\":\"is required\"}]}}
```

`details` names every field that is not acceptable, all at once; for other failures it is empty.

Numbers have the same shape, with `requestId` for `request_id`. Ages:

```json
{\"success\":false,\"error\":\"Missing required fields: firstName\",\"message\":\"…\",\"code\":\"invalid_request\",\"requestId\":\"…\",\"missing\":[\"firstName\"],\"details\":[…]}
```

`missing` and `details` are left out where they would be empty. Pages and the console answer people, with a page.

The token endpoint answers as RFC 6749 has it: `{\"error\":\"invalid_client\",\"error_description\":\"…\"}`.

| code | status | meaning |
|---|---|---|
";

/// The page in Markdown, `docs/api-errors.md`.
pub fn render_error_codes() -> String {
    let mut page = OPENING.to_owned();
    for code in Code::ALL {
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            code.as_str(),
            code.status(),
            code.meaning().trim()
        );
    }
    page
}
