//! The configuration in effect, and reading it again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::admin::{Admin, ToRead, ToWrite};
use super::ask::Told;
use super::fresh;
use crate::audit::Outcome;
use crate::context::Context;
use crate::http::problem::{CONTENT_TYPE, Document, Problem};
use crate::reload::{Error, Reloaded};

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(config)).routes(routes!(reload))
}

/// What stands for a value that is not shown.
const HIDDEN: &str = "(hidden)";

/// Sections whose every key may be read by whoever may read this interface. A key of any other section may hold a secret,
/// or an address with one in it, so that a new section is hidden until it is named here or its keys are in [`SHOWN`].
const SHOWN_SECTIONS: &[&str] = &[
    "api",
    "data",
    "demo",
    "egress",
    "hls",
    "http",
    "limits",
    "metrics",
    "publish",
    "rtc",
    "rtmp",
    "shutdown",
    "transcode",
];
/// Keys of other sections that hold no secret.
const SHOWN: &[&str] = &[
    "access.allow",
    "access.audience",
    "access.deny",
    "access.open_to_everyone",
    "access.required",
    "tls.acme_domains",
    "tls.certificate",
    "tls.local_ca",
];
/// And within any section a key is hidden whose name says that it holds one.
const SECRET_WORDS: &[&str] = &["auth", "credential", "key", "password", "secret", "token"];

/// The configuration in effect: values by section and key. What may be secret reads `(hidden)`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = BTreeMap<String, BTreeMap<String, serde_json::Value>>)]
struct ConfigInfo(Table);

/// The configuration in effect, without secrets.
#[utoipa::path(
    get, path = "/config", tag = "config", security(("bearer" = [])),
    responses((status = 200, description = "Values by section and key", body = ConfigInfo))
)]
async fn config(_: Admin<ToRead>, State(context): State<Arc<Context>>) -> Response {
    // What cannot be printed cannot have been read either.
    let table = Table::try_from(&*context.config()).unwrap_or_default();
    fresh(ConfigInfo(redacted(table)))
}

fn redacted(sections: Table) -> Table {
    let sections = sections.into_iter().map(|(section, value)| {
        let shown = match value {
            Value::Table(keys) => {
                let keys = keys.into_iter().map(|(key, value)| {
                    let value = if may_show(&section, &key) { value } else { HIDDEN.into() };
                    (key, value)
                });
                Value::Table(keys.collect())
            }
            // A list of tables (hooks, policies), or a bare key: of no section that is known to be harmless.
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => Value::Table(Table::from_iter([("all".to_owned(), HIDDEN.into())])),
        };
        (section, shown)
    });
    sections.collect()
}

fn may_show(section: &str, key: &str) -> bool {
    let whole = format!("{section}.{key}");
    let sounds_secret = SECRET_WORDS.iter().any(|word| key.contains(word));
    SHOWN.contains(&whole.as_str()) || (SHOWN_SECTIONS.contains(&section) && !sounds_secret)
}

/// Nothing is asked for yet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// What a reload did.
#[derive(Debug, Serialize, ToSchema)]
struct ReloadInfo {
    /// Keys (`section.key`) that have another value now.
    changed: Vec<String>,
    /// Keys whose new value waits for a restart.
    needs_restart: Vec<&'static str>,
}

/// Reads the configuration again. No session ends; a broken file changes nothing.
#[utoipa::path(
    post, path = "/config/reload", tag = "config", security(("bearer" = [])), request_body = Nothing,
    responses(
        (status = 200, description = "It is in effect", body = ReloadInfo),
        (status = 409, description = "The old configuration stays, and why", body = Document,
            content_type = CONTENT_TYPE)
    )
)]
async fn reload(
    admin: Admin<ToWrite>,
    State(context): State<Arc<Context>>,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Response, Problem> {
    let reloading = Arc::clone(&context);
    // It reads files.
    let reloaded = tokio::task::spawn_blocking(move || reloading.reload()).await;
    let reloaded =
        reloaded.map_err(|_| Problem::new(StatusCode::CONFLICT, "the reload broke off; see the log"))?;
    match reloaded {
        Ok(Reloaded { changed, needs_restart }) => {
            admin.record(&context, "reload", &changed.join(" "), Outcome::Done);
            Ok(fresh(ReloadInfo { changed, needs_restart }))
        }
        Err(
            error @ (Error::NoSource | Error::Load(_) | Error::Invalid(_) | Error::Tls(_) | Error::Access(_)),
        ) => {
            let why = error.to_string();
            admin.record(&context, "reload", "", Outcome::Failed(&why));
            Err(Problem::new(StatusCode::CONFLICT, format!("the old configuration stays: {why}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANTED: &str = "s3cr3t";

    #[test]
    fn no_secret_wherever_it_stands_is_shown() {
        let text = r#"
            hooks = [{ name = "a", url = "https://user:s3cr3t@hooks.example/", secret = "s3cr3t" }]
            motto = "s3cr3t"
            [http]
            listen = "127.0.0.1:8080"
            proxy_password = "s3cr3t"
            [access]
            open_to_everyone = true
            jwt = { current = "s3cr3t", keys = ["s3cr3t"] }
            admin = "s3cr3t"
            [tls]
            certificate = "c.pem"
            key = "s3cr3t"
            acme = { account = "s3cr3t" }
            [unheard_of]
            anything = "s3cr3t"
        "#;
        let shown = serde_json::to_value(ConfigInfo(redacted(text.parse().unwrap()))).unwrap();
        assert!(!shown.to_string().contains(PLANTED), "{shown:#}");
        assert_eq!(shown["http"]["listen"], "127.0.0.1:8080");
        assert_eq!(
            (&shown["access"]["open_to_everyone"], &shown["access"]["jwt"]),
            (&true.into(), &HIDDEN.into())
        );
    }

    #[test]
    fn what_an_operator_wants_to_see_is_shown() {
        let shown = redacted(Table::try_from(crate::config::Config::default()).unwrap());
        assert_eq!(shown["limits"]["broadcasts"].as_integer(), Some(10_000));
        assert_eq!(shown["publish"]["takeover"].as_str(), Some("newest"));
    }
}
