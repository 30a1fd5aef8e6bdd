//! The connection to Redis, single server or Cluster, and the one script that runs over it.
//!
//! A link is used until it fails and is then made anew: reconnecting is the decision of whoever
//! holds it. Errors never carry the URL, which may hold a password.

use std::time::Duration;

use domain::rate::{Rate, Taken};
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, Script};

/// Where Redis is.
pub(super) enum Target {
    Single(Box<AsyncConnectionConfig>, Box<Client>),
    Cluster(Box<ClusterClient>),
}

/// A connection that many calls share.
#[derive(Clone)]
pub(super) enum Link {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Target {
    /// Reads `redis://…` or `rediss://…`; several nodes with commas between them, or a scheme that
    /// ends in `+cluster`, mean Redis Cluster. Nodes after the first may leave out scheme and
    /// credentials. Making a connection takes no longer than `limit`.
    pub(super) fn parse(url: &str, limit: Duration) -> RedisResult<Self> {
        let (nodes, is_cluster) = nodes(url);
        if is_cluster {
            let client = ClusterClient::builder(nodes)
                .connection_timeout(limit)
                .retries(1)
                .build()?;
            return Ok(Self::Cluster(Box::new(client)));
        }
        // Whoever asks keeps the time: a timer per call would be paid by each request.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limit))
            .set_response_timeout(None);
        let client = Client::open(url)?;
        Ok(Self::Single(Box::new(config), Box::new(client)))
    }

    pub(super) async fn connect(&self) -> RedisResult<Link> {
        match self {
            Self::Single(config, client) => client
                .get_multiplexed_async_connection_with_config(config)
                .await
                .map(Link::Single),
            Self::Cluster(client) => client.get_async_connection().await.map(Link::Cluster),
        }
    }
}

fn nodes(url: &str) -> (Vec<String>, bool) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    let plain = scheme.strip_suffix("+cluster");
    let is_cluster = plain.is_some() || rest.contains(',');
    let first_credentials = rest
        .split(',')
        .next()
        .and_then(|node| node.rsplit_once('@'));
    let nodes = rest.split(',').map(|node| {
        let node = node
            .split_once("://")
            .map_or(node, |(_, address)| address)
            .trim();
        let credentials = first_credentials
            .filter(|_| !node.contains('@'))
            .map_or_else(String::new, |(credentials, _)| format!("{credentials}@"));
        format!("{}://{credentials}{node}", plain.unwrap_or(scheme))
    });
    (nodes.collect(), is_cluster)
}

/// The sliding window as a script.
pub(super) struct TakeScript(Script);

impl TakeScript {
    pub(super) fn new() -> Self {
        Self(Script::new(include_str!("take.lua")))
    }

    /// Asks the window of the key for `wanted` requests. The braces make the whole name one hash
    /// tag, so that whatever belongs to a window lies in one slot of a cluster.
    pub(super) async fn take(
        &self,
        link: &Link,
        key: &str,
        rate: Rate,
        wanted: u64,
    ) -> RedisResult<Taken> {
        let mut call = self.0.key(format!("bonafide:quota:{{{key}}}"));
        call.arg(rate.limit())
            .arg(rate.window_ms())
            .arg(rate.granule_ms())
            .arg(wanted);
        let (granted, remaining, reset, retry_after): (u64, u64, u64, u64) = match link.clone() {
            Link::Single(mut connection) => call.invoke_async(&mut connection).await?,
            Link::Cluster(mut connection) => call.invoke_async(&mut connection).await?,
        };
        Ok(Taken {
            granted,
            remaining,
            reset: Duration::from_millis(reset),
            retry_after: Duration::from_millis(retry_after),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_cluster_from_a_server() {
        let parse = |url| Target::parse(url, Duration::from_secs(1));
        let cluster = |nodes: &[&str]| (nodes.iter().map(ToString::to_string).collect(), true);
        assert!(!nodes("redis://localhost:6379/1").1);
        assert_eq!(
            nodes("rediss://u:p@a:1,b:2, rediss://u:p@c:3"),
            cluster(&["rediss://u:p@a:1", "rediss://u:p@b:2", "rediss://u:p@c:3"])
        );
        assert_eq!(nodes("redis+cluster://a:1"), cluster(&["redis://a:1"]));
        assert!(matches!(parse("redis://a:1,b:2"), Ok(Target::Cluster(_))));
        assert!(matches!(parse("redis://a:1"), Ok(Target::Single(..))));
        assert!(parse("http://a:1").is_err());
        assert!(parse("").is_err());
    }
}
