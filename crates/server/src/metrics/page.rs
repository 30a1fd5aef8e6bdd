//! The page that lists the families of metrics.

use std::fmt::Write as _;

use super::families::{ALL, Family};

const OPENING: &str = "\
# Metrics

<!-- Generated from the list of families. `UPDATE_GENERATED=1 cargo test -p bonafide` writes it anew. -->

Bonafide counts for Prometheus, in its text format, in two places:

- `GET /metrics` on the API, for a credential with the scope `admin`. Refusals are audited like those
  of any request. A scrape that is answered leaves no record: it shows nobody's data, and one every
  fifteen seconds would bury what the log is for.
- With `METRICS_BIND=127.0.0.1:9090` also on a listener of its own, which serves `/metrics` and nothing
  else, in plain HTTP and **without a credential**. Bind it to the loopback or a private network. A
  process with `--role worker` is watched there too.

Every instance counts for itself and from 0 when it starts; add them up in Prometheus. Nothing in the
metrics names a person, a company, a key or an address: the values of labels are names of actions and
limits, methods, status codes and words from fixed lists. A request for a path that does not exist, or
with a method that its path does not take, counts under the action `request.unknown`.

```yaml
scrape_configs:
  - job_name: bonafide
    static_configs:
      - targets: [\"127.0.0.1:9090\"]
```

Rules to be alerted by, and a dashboard, are in `deploy/`: [alerts.md](alerts.md).

## Families

| name | type | labels | meaning |
|---|---|---|---|
";

const CLOSING: &str = "
A histogram comes as `…_bucket`, with the label `le`, `…_sum` and `…_count`.

## Questions and their expressions

Share of age verifications that pass, of those that were decided, as the statistics count them: what
an earlier verification answers (`cache`) and attempts beyond the limit (`rate_limit`) decide nothing.

```promql
sum(rate(bonafide_age_verifications_total{method!~\"cache|rate_limit\",outcome=\"passed\"}[5m]))
  / sum(rate(bonafide_age_verifications_total{method!~\"cache|rate_limit\"}[5m]))
```

Share of age verifications that an earlier one answers (cache hit rate); those submitted again are among
all, and are never answered like that:

```promql
sum(rate(bonafide_age_verifications_total{method=\"cache\"}[5m]))
  / sum(rate(bonafide_age_verifications_total{method!=\"rate_limit\"}[5m]))
```

Share of number verifications that succeed, of the sessions that ended:

```promql
sum(rate(bonafide_number_sessions_total{status=\"verified\"}[1h])) / sum(rate(bonafide_number_sessions_total[1h]))
```

95 of 100 requests are answered within, by action:

```promql
histogram_quantile(0.95, sum by (action, le) (rate(bonafide_request_duration_seconds_bucket[5m])))
```

How far the archive is behind, in seconds; more than ten minutes deserve a look, and so does anything
that was refused:

```promql
max(bonafide_archive_lag_seconds) > 600 or max(bonafide_archive_parked) > 0
```

The share of their time that connections to the database are busy; one that several reads share at
once may show more than all of it. When writing nears 1 and callers wait, the database is the bottleneck:

```promql
sum by (work) (rate(bonafide_database_busy_seconds_sum[5m])) / sum by (work) (bonafide_database_connections)
```

Share of requests that fail by the server's fault:

```promql
sum(rate(bonafide_requests_total{status=~\"5..\"}[5m])) / sum(rate(bonafide_requests_total[5m]))
```
";

/// The page in Markdown, `docs/metrics.md`.
pub fn render() -> String {
    let mut page = OPENING.to_owned();
    for family in ALL {
        // Writing to a string does not fail.
        let _ = writeln!(page, "{}", row(family));
    }
    page + CLOSING
}

fn row(family: &Family) -> String {
    let Family {
        name, kind, help, ..
    } = family;
    let labels: Vec<_> = family
        .labels
        .iter()
        .map(|label| format!("`{label}`"))
        .collect();
    format!(
        "| `{name}` | {} | {} | {help} |",
        kind.as_str(),
        labels.join(", ")
    )
}
