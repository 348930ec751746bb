//! What to do about it, for what is seen: the application first, settings of the kernel last.

use crate::model::{Runtime, RuntimeKind};

/// For connections that our side opens and closes one by one.
pub(super) fn short_client(runtime: Option<&Runtime>) -> Vec<String> {
    let first: &[&str] = match runtime.map(|runtime| runtime.kind) {
        Some(RuntimeKind::Go) => &[
            "Go: raise http.Transport.MaxIdleConnsPerHost (2 by default): with more requests at once than that, \
             every connection beyond it is closed after its request. Set it to the number of requests in flight.",
            "Go: read each response to its end (io.Copy(io.Discard, resp.Body)) and close it: a body that is \
             closed unread takes its connection with it.",
            "Go: share one http.Client and one Transport; look for DisableKeepAlives, req.Close, and a client for \
             each call.",
        ],
        Some(RuntimeKind::Nginx) => &[
            "nginx: keep connections to the upstream: `keepalive 32;` in the upstream block, \
             `proxy_http_version 1.1;` and `proxy_set_header Connection \"\";` (the default since 1.29.7).",
            "nginx: if keepalive is on, raise its number to the connections in use at once: those beyond it are closed.",
        ],
        Some(RuntimeKind::Haproxy) => &[
            "HAProxy: set `http-reuse safe` (or aggressive) and `option http-keep-alive`; remove `option httpclose`.",
        ],
        Some(RuntimeKind::Envoy) => &[
            "Envoy: raise max_requests_per_connection of the cluster, or unset it, and look at its idle_timeout.",
        ],
        Some(RuntimeKind::Java) => &[
            "Java: share one HttpClient or pooled connection manager; raise its connections per route, and close \
             each response after it was read. HttpURLConnection keeps 5 per host (http.maxConnections).",
        ],
        Some(RuntimeKind::Node) => &[
            "Node.js: use one http.Agent with keepAlive: true and enough maxFreeSockets; before Node.js 19 the \
             default agent keeps none.",
        ],
        Some(RuntimeKind::Python) => &[
            "Python: use one requests.Session (or httpx.Client, aiohttp.ClientSession) for all calls and size its \
             pool; requests.get() opens a connection for each call. For Redis or a database keep one pool.",
        ],
        None => &[],
    };
    let general = [
        "Keep connections and use them again: one pool for the process, as large as the requests in flight.",
        "For Redis, MySQL and the like: no connection for each operation; hold one, or a pool, and pipeline.",
    ];
    first.iter().chain(&general).map(|&text| text.to_owned()).collect()
}

/// For connections that our side accepts and closes one by one, `asked` for by somebody on this host.
pub(super) fn short_server(
    runtime: Option<&Runtime>,
    asked: Option<(&str, Option<&Runtime>)>,
) -> Vec<String> {
    let mut advice = Vec::new();
    if let Some((who, asking)) = asked {
        advice.push(format!(
            "Start at {who}, which opens them: if it is a proxy that speaks HTTP/1.0, it is the cause."
        ));
        if asking.is_some_and(|runtime| runtime.kind == RuntimeKind::Nginx) {
            advice.push(nginx_as_proxy(asking));
        }
    }
    let own: &[&str] = match runtime.map(|runtime| runtime.kind) {
        Some(RuntimeKind::Nginx) => &[
            "nginx: raise keepalive_requests (1000 by default since 1.19.10, 100 before) and keepalive_timeout (75 s \
             by default; 0 turns keep-alive off).",
        ],
        Some(RuntimeKind::Haproxy) => {
            &["HAProxy: use `option http-keep-alive` (the default) and raise `timeout http-keep-alive`."]
        }
        Some(RuntimeKind::Go) => &[
            "Go: look for Server.SetKeepAlivesEnabled(false), a short IdleTimeout, and handlers that set Connection: close.",
        ],
        Some(RuntimeKind::Python) => &[
            "Python: http.server speaks HTTP/1.0 unless protocol_version = \"HTTP/1.1\"; gunicorn's sync workers keep \
             no connections (use gthread with --keep-alive).",
        ],
        Some(RuntimeKind::Node) => &[
            "Node.js: raise server.keepAliveTimeout (5 s by default) above that of whoever is in front of it.",
        ],
        Some(RuntimeKind::Java | RuntimeKind::Envoy) | None => &[],
    };
    advice.extend(own.iter().map(|&text| text.to_owned()));
    advice.push(
        "Let the server keep connections: no Connection: close, a longer keep-alive, more requests for each."
            .to_owned(),
    );
    if asked.is_none() {
        advice.push(
            "If the clients are proxies, let them speak HTTP/1.1 to this server and keep connections; nginx does so by \
             itself since 1.29.7."
                .to_owned(),
        );
    }
    advice
}

fn nginx_as_proxy(runtime: Option<&Runtime>) -> String {
    let settings = "`proxy_http_version 1.1;`, `proxy_set_header Connection \"\";` and `keepalive 32;` in the upstream block";
    match runtime.and_then(|runtime| Some((runtime.is_at_least([1, 29, 7])?, runtime))) {
        Some((true, runtime)) => format!(
            "{runtime} keeps connections to the upstream by default: look for proxy_http_version 1.0 or a Connection header that turns it off."
        ),
        Some((false, runtime)) => {
            format!("{runtime} speaks HTTP/1.0 to the upstream by default: set {settings}.")
        }
        None => format!("nginx before 1.29.7 speaks HTTP/1.0 to the upstream by default: set {settings}."),
    }
}

/// For open connections that pile up unused.
pub(super) fn leaked(runtime: Option<&Runtime>) -> Vec<String> {
    let first: &[&str] = match runtime.map(|runtime| runtime.kind) {
        Some(RuntimeKind::Go) => &[
            "Go: make one http.Transport (or http.Client) and share it: a Transport for each call keeps its own idle \
             connections, and one made by hand keeps them for ever (set IdleConnTimeout).",
            "Go: close every response body, also where the body is not needed and on early returns.",
        ],
        Some(RuntimeKind::Java) => {
            &["Java: share one client; close every response and every client (try-with-resources)."]
        }
        Some(RuntimeKind::Python) => &[
            "Python: share one Session or client; close responses (with ... as response), above all with stream=True.",
        ],
        Some(RuntimeKind::Node) => &["Node.js: share one Agent, and consume or destroy every response."],
        _ => &[],
    };
    let general = [
        "Share one client and its pool; give the pool a limit and an idle timeout.",
        "Close what a call opened on every path, errors included.",
    ];
    first.iter().chain(&general).map(|&text| text.to_owned()).collect()
}

/// For connections that the peer has closed and we have not.
pub(super) fn not_closed(runtime: Option<&Runtime>) -> Vec<String> {
    let first: &[&str] = match runtime.map(|runtime| runtime.kind) {
        Some(RuntimeKind::Go) => &[
            "Go: look for a goroutine that waits for ever, and for a body or net.Conn without a deferred Close().",
        ],
        Some(RuntimeKind::Java) => &[
            "Java: take a thread dump (jstack): workers that wait, or a pool that does not evict what its peer has closed.",
        ],
        Some(RuntimeKind::Python) => &[
            "Python: look for sockets or responses without close(); py-spy dump shows a worker that is stuck.",
        ],
        _ => &[],
    };
    let general = [
        "Find where the program gets end-of-file and does not close: a missing close() after an error, a worker that is \
         stuck, or a pool that does not evict.",
        "No setting of the kernel ends a CLOSE_WAIT: it has no timeout. tcp_fin_timeout and keepalive do not help; \
         a restart only hides it.",
    ];
    first.iter().chain(&general).map(|&text| text.to_owned()).collect()
}

/// What the kernel's settings do for `TIME_WAIT`s, and what they do not.
pub(super) fn time_wait_kernel() -> Vec<String> {
    [
        "Kernel, last: net.ipv4.tcp_tw_reuse=1 lets connect() use a TIME_WAIT again after 1 s where both sides use \
         timestamps (2, the default, covers loopback only). It helps the side that connects, does nothing for a server, \
         and each request still pays for a handshake.",
        "What does not help: TIME_WAIT is a fixed 60 s, tcp_fin_timeout does not shorten it; tcp_tw_recycle is gone since \
         Linux 4.12; TIME_WAIT holds no descriptor, so ulimit changes nothing.",
    ]
    .map(str::to_owned)
    .to_vec()
}
