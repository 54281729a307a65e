//! Who may do what, by key, application and address.

use media::Path;

use super::*;
use crate::access::signed::{Subject, auth, tx_secret, tx_time};
use crate::audience::Protocol;

const NOW: u64 = 1_800_000_000;
const PEER: &str = "192.0.2.7:4711";

fn keys() -> Keys {
    let row = |id: &str, kind: &str, app: &str, value: &str| {
        format!("[[key]]\nid = \"{id}\"\nkind = \"{kind}\"\n{app}created = 1\ncurrent = \"{value}\"\n")
    };
    let mut text = row("publish", "publish", "", "publish-publish-publish");
    text += &format!("previous = \"former-former-former\"\nprevious_until = {}\n", NOW + 100);
    text += &row("play", "play", "", "play-play-play-play");
    text += &row("school", "publish", "app = \"school\"\n", "school-school-school");
    text += &row("admin", "admin", "", &sha256_hex("sesame"));
    text += &row("signer", "jwt", "", "0123456789abcdef0123456789abcdef");
    toml::from_str(&text).unwrap()
}

fn rules(change: impl FnOnce(&mut Config)) -> Rules {
    let mut config = Config::default();
    config.access.required = true;
    change(&mut config);
    Rules::new(&config, keys()).unwrap()
}

fn app(text: &str) -> App {
    toml::from_str(text).unwrap()
}

fn caller(peer: &str, bearer: Option<&str>) -> Caller {
    Caller { peer: Some(peer.parse().unwrap()), agent: String::new(), bearer: bearer.map(str::to_owned) }
}

fn asked(rules: &Rules, action: Action, path: &str, query: &str, caller: &Caller) -> Result<(), Why> {
    let path = Path::new(path).unwrap();
    let request = Request { action, path: &path, protocol: Protocol::Rtmp, query, caller };
    rules.check(&request, NOW).map_err(|denied| denied.refused.why)
}

fn query(rules: &Rules, action: Action, path: &str, query: &str) -> Result<(), Why> {
    asked(rules, action, path, query, &caller(PEER, None))
}

fn tx(key: &str, stream: &str, expiry: u64) -> String {
    let time = tx_time(expiry);
    format!("txSecret={}&txTime={time}", tx_secret(key, stream, &time))
}

fn token(rules: &Rules, scope: Scope, path: Option<&str>) -> String {
    let grant =
        jwt::Grant { scope: vec![scope], path: path.map(Into::into), app: None, sub: None, exp: NOW + 60 };
    jwt::make(&rules.keys, "openmic", &grant).unwrap()
}

#[test]
fn a_signed_address_lets_in_for_its_action_stream_and_time_under_either_value_of_its_key() {
    let rules = rules(|_| {});
    let publish = |address: &str| query(&rules, Action::Publish, "live/a", address);
    assert_eq!(publish(&tx("publish-publish-publish", "a", NOW)), Ok(()));
    assert_eq!(publish(&tx("former-former-former", "a", NOW + 500)), Ok(()));
    assert_eq!(publish(&format!("x=y&{}", tx("publish-publish-publish", "a", NOW))), Ok(()));
    let unauthorized = Err(Why::Unauthorized);
    assert_eq!(publish(""), unauthorized);
    assert_eq!(
        publish(&tx("play-play-play-play", "a", NOW)),
        unauthorized,
        "a play key's signature publishes not"
    );
    assert_eq!(publish(&tx("publish-publish-publish", "b", NOW)), unauthorized);
    assert_eq!(publish(&tx("publish-publish-publish", "a", NOW - 1)), unauthorized);
    assert_eq!(publish(&tx("school-school-school", "a", NOW)), unauthorized, "a key of another app");
    assert_eq!(query(&rules, Action::Publish, "school/a", &tx("school-school-school", "a", NOW)), Ok(()));
    assert_eq!(query(&rules, Action::Play, "live/a", &tx("play-play-play-play", "a", NOW)), Ok(()));
    assert_eq!(query(&rules, Action::Play, "live/a", &tx("publish-publish-publish", "a", NOW)), unauthorized);
    let path = Path::new("live/a").unwrap();
    let key = "publish-publish-publish".to_owned().into();
    let auth = auth(&key, Subject { action: Action::Publish, path: &path }, NOW);
    assert_eq!(publish(&format!("auth={auth}")), Ok(()));
    assert_eq!(query(&rules, Action::Publish, "other/a", &format!("auth={auth}")), unauthorized);
    assert_eq!(query(&rules, Action::Play, "live/a", &format!("auth={auth}")), unauthorized);
}

#[test]
fn the_former_value_of_a_key_ends_with_its_time() {
    let rules = rules(|_| {});
    let path = Path::new("live/a").unwrap();
    let (query, caller) = (tx("former-former-former", "a", NOW + 500), caller(PEER, None));
    let at = |now| {
        let action = Action::Publish;
        rules.check(
            &Request { action, path: &path, protocol: Protocol::Rtmp, query: &query, caller: &caller },
            now,
        )
    };
    assert!(at(NOW + 99).is_ok() && at(NOW + 100).is_err());
}

#[test]
fn a_token_needs_the_scope_and_the_stream_wherever_it_stands() {
    let rules = rules(|_| {});
    let right = token(&rules, Scope::Publish, Some("live/a"));
    let publish = |path: &str, query: &str, bearer: Option<&str>| {
        asked(&rules, Action::Publish, path, query, &caller(PEER, bearer))
    };
    for name in ["token", "auth"] {
        assert_eq!(publish("live/a", &format!("{name}={right}"), None), Ok(()));
    }
    assert_eq!(publish("live/a", "", Some(&right)), Ok(()));
    assert_eq!(publish("live/a", "token=nonsense", Some(&right)), Ok(()), "one that is right is enough");
    assert_eq!(publish("live/b", "", Some(&right)), Err(Why::Forbidden));
    assert_eq!(asked(&rules, Action::Play, "live/a", "", &caller(PEER, Some(&right))), Err(Why::Forbidden));
    for scope in [Scope::Play, Scope::Admin, Scope::Room] {
        assert_eq!(publish("live/a", "", Some(&token(&rules, scope, None))), Err(Why::Forbidden));
    }
    assert_eq!(publish("live/a", "", Some("sesame")), Err(Why::Unauthorized), "the token of administration");
}

#[test]
fn an_app_may_open_an_action_or_close_it() {
    let rules = rules(|config| {
        config.access.app =
            vec![app("name = \"live\"\nplay = \"open\""), app("name = \"old*\"\npublish = \"none\"")];
    });
    assert_eq!(query(&rules, Action::Play, "live/a", ""), Ok(()));
    assert_eq!(query(&rules, Action::Publish, "live/a", ""), Err(Why::Unauthorized));
    assert_eq!(query(&rules, Action::Play, "live/sub/a", ""), Err(Why::Unauthorized), "another app");
    let signed = tx("publish-publish-publish", "a", NOW);
    assert_eq!(query(&rules, Action::Publish, "older/a", &signed), Err(Why::Forbidden));
    assert_eq!(query(&rules, Action::Play, "older/a", ""), Err(Why::Unauthorized));
}

#[test]
fn addresses_are_let_in_where_both_lists_allow_and_neither_denies() {
    let rules = rules(|config| {
        config.access.required = false;
        config.access.allow = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        config.access.deny = vec!["10.6.6.6".parse().unwrap()];
        config.access.app = vec![app("name = \"live\"\nallow = [\"10.1.0.0/16\"]\ndeny = [\"10.1.1.0/24\"]")];
    });
    let from = |peer: &str, path: &str| asked(&rules, Action::Play, path, "", &caller(peer, None)).is_ok();
    for (peer, live, other) in [
        ("10.1.2.3:1", true, true),
        ("[::ffff:10.1.2.3]:1", true, true),
        ("10.1.1.3:1", false, true),
        ("10.2.0.1:1", false, true),
        ("10.6.6.6:1", false, false),
        ("[2001:db8::1]:1", false, true),
        ("192.0.2.7:1", false, false),
        ("127.0.0.1:1", false, false),
    ] {
        assert_eq!((from(peer, "live/a"), from(peer, "other/a")), (live, other), "{peer}");
    }
    let nobody = Caller::default();
    assert_eq!(
        asked(&rules, Action::Publish, "live/demo", "", &nobody),
        Ok(()),
        "the demo comes from nowhere"
    );
}

#[test]
fn loopback_is_open_and_other_addresses_are_guarded_unless_the_configuration_says_otherwise() {
    let guarded = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        Rules::new(&config, keys()).unwrap().guarded
    };
    let beyond = |config: &mut Config| config.rtmp.listen = ([0, 0, 0, 0], 1935).into();
    assert!(!guarded(&|_| {}) && guarded(&beyond));
    assert!(guarded(&|config| config.access.required = true));
    assert!(!guarded(&|config| {
        beyond(config);
        config.access.open_to_everyone = true;
    }));
    let mut config = Config::default();
    beyond(&mut config);
    let Err(error) = Rules::new(&config, Keys::default()) else { panic!("it listens without keys") };
    assert!(error.to_string().contains("openmic token init"), "{error}");
}

#[test]
fn administration_needs_an_admin_key_or_a_token_for_the_whole_server() {
    let rules = rules(|_| {});
    let by = |bearer: Option<&str>| {
        let outcome = rules.authorize(&caller("127.0.0.1:1", bearer), Right::Read, NOW);
        outcome.map(|principal| principal.name).map_err(|denied| denied.refused.why)
    };
    assert_eq!(by(Some("sesame")), Ok("key:admin".into()));
    assert_eq!(by(Some(&token(&rules, Scope::Admin, None))), Ok("jwt:signer".into()));
    assert_eq!(by(Some(&token(&rules, Scope::Admin, Some("live/a")))), Err(Why::Forbidden));
    assert_eq!(by(Some(&token(&rules, Scope::Play, None))), Err(Why::Forbidden));
    assert_eq!(by(None), Err(Why::Unauthorized));
    assert_eq!(by(Some(&sha256_hex("sesame"))), Err(Why::Unauthorized), "what the file holds is no login");
    assert_eq!(by(Some("play-play-play-play")), Err(Why::Unauthorized));
}

#[test]
fn an_open_server_lets_everybody_look_and_only_this_machine_change() {
    let open = rules(|config| config.access.required = false);
    let by = |rules: &Rules, peer: &str, bearer: Option<&str>, right| {
        rules.authorize(&caller(peer, bearer), right, NOW).map(|principal| principal.name).ok()
    };
    let anybody = Some("anybody".to_owned());
    assert_eq!(by(&open, "127.0.0.1:1", None, Right::Write), anybody);
    assert_eq!(by(&open, "127.0.0.1:1", Some("stale"), Right::Write), anybody);
    assert_eq!(by(&open, "127.0.0.1:1", Some("sesame"), Right::Write), Some("key:admin".into()));
    let everyone = rules(|config| {
        config.access.required = false;
        config.access.open_to_everyone = true;
        config.http.listen = ([0, 0, 0, 0], 8080).into();
    });
    assert_eq!(by(&everyone, PEER, None, Right::Read), anybody);
    assert_eq!(by(&everyone, PEER, None, Right::Write), None);
    assert_eq!(by(&everyone, "127.0.0.1:1", None, Right::Write), anybody);
    assert_eq!(by(&everyone, PEER, Some("sesame"), Right::Write), Some("key:admin".into()));
}

#[test]
fn only_what_may_be_a_guess_counts_as_one() {
    let rules = rules(|_| {});
    let path = Path::new("live/a").unwrap();
    let is_guess = |query: &str| {
        let caller = caller(PEER, None);
        let request = Request {
            action: Action::Publish,
            path: &path,
            protocol: Protocol::Rtmp,
            query,
            caller: &caller,
        };
        rules.check(&request, NOW).unwrap_err().is_guess
    };
    assert!(
        is_guess(&tx("a-wrong-key-a-wrong-key", "a", NOW)) && is_guess("auth=v1.1.x") && is_guess("token=x")
    );
    assert!(!is_guess("") && !is_guess(&tx("publish-publish-publish", "a", NOW - 1)));
    assert!(!is_guess(&format!("token={}", token(&rules, Scope::Play, None))));
}
