//! Tokens that are let in, and all the ways to be refused.

use std::path::PathBuf;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use aws_lc_rs::{hmac, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::private::Folder;

const NOW: u64 = 1_800_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn keys() -> Keys {
    let text = format!(
        "[[key]]\nid = \"ours\"\nkind = \"jwt\"\ncreated = 1\ncurrent = \"{SECRET}\"\n\
         previous = \"former-former-former-former-former\"\nprevious_until = {}\n\
         [[key]]\nid = \"school\"\nkind = \"jwt\"\napp = \"school\"\ncreated = 1\ncurrent = \"school{SECRET}\"\n",
        NOW + 100
    );
    toml::from_str(&text).unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(&config::Access::default(), &keys()).unwrap()
}

/// A token put together by hand, so that it can be wrong in every way.
fn token(header: &Value, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(header.to_string().as_bytes()), part(payload.as_bytes()));
    let signature = part(&sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn hs256(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

fn ours(payload: &Value) -> String {
    token(&json!({"alg": "HS256", "kid": "ours"}), &payload.to_string(), hs256(SECRET.as_bytes()))
}

fn payload() -> Value {
    json!({"aud": "openmic", "exp": NOW + 60, "scope": "play publish", "sub": "ada", "other": [1, {}]})
}

fn with(name: &str, value: Value) -> Value {
    let mut payload = payload();
    payload[name] = value;
    payload
}

fn verified(token: &str) -> Result<Claims, Wrong> {
    verifier().verify(token, NOW)
}

#[test]
fn a_token_says_what_is_allowed_to_whom_and_where() {
    let claims = verified(&ours(&payload())).unwrap();
    assert!(claims.has(Scope::Play) && claims.has(Scope::Publish) && !claims.has(Scope::Admin));
    assert_eq!((claims.subject.as_deref(), claims.kid.as_str()), (Some("ada"), "ours"));
    assert!(claims.is_for_everything());
    let listed = verified(&ours(&with("scope", json!(["admin", "other"])))).unwrap();
    assert!(listed.has(Scope::Admin) && !listed.has(Scope::Play));
    let is_for = |name: &str, value: &str, path: &str| {
        let claims = verified(&ours(&with(name, json!(value)))).unwrap();
        assert!(!claims.is_for_everything());
        claims.is_for(&Path::new(path).unwrap())
    };
    assert!(is_for("path", "live/a", "live/a") && !is_for("path", "live/a", "live/ab"));
    assert!(is_for("path", "live/room-*", "live/room-1") && !is_for("path", "live/room-*", "live/roo"));
    assert!(!is_for("path", "li*/a", "live/a"), "a * means something at the end alone");
    assert!(is_for("app", "live", "live/a") && !is_for("app", "live", "lively/a"));
    assert!(is_for("app", "live*", "live/sub/a"));
    let none = json!({"aud": "openmic", "exp": NOW + 60});
    assert!(!verified(&ours(&none)).unwrap().has(Scope::Play));
}

#[test]
fn a_key_of_one_app_makes_tokens_for_that_app_alone() {
    let header = json!({"alg": "HS256", "kid": "school"});
    let token = token(&header, &payload().to_string(), hs256(format!("school{SECRET}").as_bytes()));
    let claims = verified(&token).unwrap();
    assert!(claims.is_for(&Path::new("school/a").unwrap()) && !claims.is_for(&Path::new("live/a").unwrap()));
    assert!(!claims.is_for_everything());
}

#[test]
fn times_are_numbers_and_clocks_may_differ_by_ten_seconds() {
    let at = |exp: Value, nbf: Value| {
        let mut payload = with("exp", exp);
        payload["nbf"] = nbf;
        verified(&ours(&payload)).err()
    };
    assert_eq!(at(json!(NOW as f64 + 0.5), json!(NOW)), None);
    assert_eq!(at(json!(NOW - 9), Value::Null), None);
    assert_eq!(at(json!(NOW - 10), Value::Null), Some(Wrong::Expired));
    assert_eq!(at(json!(-1), Value::Null), Some(Wrong::Expired));
    assert_eq!(at(json!(NOW + 60), json!(NOW + 10)), None);
    assert_eq!(at(json!(NOW + 60), json!(NOW + 11)), Some(Wrong::Early));
    assert_eq!(at(json!((NOW + 60).to_string()), Value::Null), Some(Wrong::Token), "exp as a string");
    assert_eq!(at(Value::Null, Value::Null), Some(Wrong::Token), "no exp");
    assert_eq!(at(json!(NOW + 60), json!("soon")), Some(Wrong::Token));
}

#[test]
fn only_our_audience_is_ours() {
    for (aud, expected) in [
        (json!("openmic"), None),
        (json!(["else", "openmic"]), None),
        (json!("else"), Some(Wrong::Audience)),
        (json!(["else"]), Some(Wrong::Audience)),
        (json!([]), Some(Wrong::Audience)),
        (Value::Null, Some(Wrong::Audience)),
        (json!(7), Some(Wrong::Audience)),
    ] {
        assert_eq!(verified(&ours(&with("aud", aud.clone()))).err(), expected, "{aud}");
    }
}

#[test]
fn no_other_algorithm_and_no_unknown_key_verifies() {
    let text = payload().to_string();
    let refused = |header: Value, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        assert_eq!(verified(&token(&header, &text, sign)).err(), Some(Wrong::Token), "{header}");
    };
    let right = hs256(SECRET.as_bytes());
    for none in ["none", "None", "NONE", "nOnE", ""] {
        refused(json!({"alg": none, "kid": "ours"}), &|_| Vec::new());
        refused(json!({"alg": none, "kid": "ours"}), &right);
    }
    for other in ["HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256"] {
        refused(json!({"alg": other, "kid": "ours"}), &right);
    }
    refused(json!({"alg": "HS256"}), &right);
    refused(json!({"alg": "HS256", "kid": "theirs"}), &right);
    refused(json!({"alg": "HS256", "kid": "ours", "crit": ["b64"], "b64": false}), &right);
    refused(json!({"kid": "ours"}), &right);
    refused(json!({"alg": "HS256", "kid": "ours"}), &hs256(b""));
    refused(json!({"alg": "HS256", "kid": "school"}), &right);
}

#[test]
fn the_value_before_is_accepted_until_its_end() {
    let header = json!({"alg": "HS256", "kid": "ours"});
    let text = json!({"aud": "openmic", "exp": NOW + 1_000}).to_string();
    let former = token(&header, &text, hs256(b"former-former-former-former-former"));
    assert!(verifier().verify(&former, NOW + 99).is_ok());
    assert_eq!(verifier().verify(&former, NOW + 100).err(), Some(Wrong::Token));
}

#[test]
fn every_cut_of_a_token_is_refused_and_so_is_what_is_too_long() {
    let whole = ours(&payload());
    for end in 0..whole.len() {
        assert_eq!(verified(&whole[..end]).err(), Some(Wrong::Token), "cut at {end}");
    }
    for odd in
        [format!("{whole}A"), format!("{whole}."), format!(".{whole}"), whole.replace('.', ".."), "..".into()]
    {
        assert_eq!(verified(&odd).err(), Some(Wrong::Token), "{odd}");
    }
    let long = |length: usize| ours(&with("other", json!("x".repeat(length))));
    assert!(verified(&long(2_800)).is_ok());
    assert_eq!(verified(&long(3_000)).err(), Some(Wrong::Token));
}

struct Public {
    folder: Folder,
    access: config::Access,
}

impl Public {
    fn new() -> Self {
        let folder = Folder::new();
        std::fs::create_dir_all(&folder.0).unwrap();
        Self { folder, access: config::Access::default() }
    }

    fn add(&mut self, kid: &str, algorithm: Algorithm, der: &[u8]) -> PathBuf {
        let file = self.folder.0.join(kid);
        std::fs::write(&file, pem("PUBLIC KEY", der)).unwrap();
        let key = config::PublicKey { kid: kid.into(), algorithm, file: file.clone() };
        self.access.jwt_public_keys.push(key);
        file
    }

    fn verifier(&self) -> Result<Verifier, KeyError> {
        Verifier::new(&self.access, &Keys::default())
    }
}

fn pem(name: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", lines.join("\n"))
}

fn der(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Vec<u8> {
    key.as_der().unwrap().as_ref().to_vec()
}

#[test]
fn tokens_of_others_are_verified_by_their_public_keys_with_one_algorithm_each() {
    let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let ed = Ed25519KeyPair::generate().unwrap();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let mut public = Public::new();
    let rsa_der = der(rsa.public_key());
    let rsa_file = public.add("rsa", Algorithm::RS256, &rsa_der);
    public.add("ed", Algorithm::EdDSA, &der(ed.public_key()));
    public.add("ec", Algorithm::ES256, &der(ec.public_key()));
    let verifier = public.verifier().unwrap();
    let random = SystemRandom::new();
    let sign_rsa = |message: &[u8]| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
        signature
    };
    let sign_ed = |message: &[u8]| ed.sign(message).as_ref().to_vec();
    let sign_ec = |message: &[u8]| ec.sign(&random, message).unwrap().as_ref().to_vec();
    let text = payload().to_string();
    let verify = |kid: &str, algorithm: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        verifier.verify(&token(&json!({"alg": algorithm, "kid": kid}), &text, sign), NOW)
    };
    assert!(verify("rsa", "RS256", &sign_rsa).unwrap().has(Scope::Play));
    assert!(verify("ed", "EdDSA", &sign_ed).is_ok());
    assert!(verify("ec", "ES256", &sign_ec).is_ok());
    // The public key, which everybody has, as the secret of an HMAC: as its file, and as its DER.
    for secret in [std::fs::read(rsa_file).unwrap(), rsa_der, rsa.public_key().as_ref().to_vec()] {
        assert_eq!(verify("rsa", "HS256", &hs256(&secret)).err(), Some(Wrong::Token));
        assert_eq!(verify("rsa", "RS256", &hs256(&secret)).err(), Some(Wrong::Token));
    }
    assert_eq!(verify("rsa", "PS256", &sign_rsa).err(), Some(Wrong::Token));
    assert_eq!(verify("ed", "RS256", &sign_rsa).err(), Some(Wrong::Token));
    assert_eq!(verify("ec", "EdDSA", &sign_ed).err(), Some(Wrong::Token));
    assert_eq!(verify("ec", "ES256", &|_| vec![0; 64]).err(), Some(Wrong::Token));
}

#[test]
fn a_file_that_is_no_public_key_of_its_kind_is_refused_by_name() {
    let ed = der(Ed25519KeyPair::generate().unwrap().public_key());
    let fault = |algorithm, change: &dyn Fn(&PathBuf)| {
        let mut public = Public::new();
        let file = public.add("theirs", algorithm, &ed);
        change(&file);
        public.verifier().err().expect("it cannot be used").to_string()
    };
    assert!(fault(Algorithm::RS256, &|_| {}).contains("theirs: "));
    assert!(fault(Algorithm::ES256, &|_| {}).contains("ES256"));
    assert!(fault(Algorithm::EdDSA, &|file| std::fs::remove_file(file).unwrap()).contains("theirs"));
    let private = |file: &PathBuf| std::fs::write(file, pem("PRIVATE KEY", &ed)).unwrap();
    assert!(fault(Algorithm::EdDSA, &private).contains("private"));
    let mut twice = Public::new();
    twice.add("theirs", Algorithm::EdDSA, &ed);
    twice.add("theirs", Algorithm::EdDSA, &ed);
    assert!(twice.verifier().err().unwrap().to_string().contains("two keys"));
}

#[test]
fn what_we_make_we_verify() {
    let grant = Grant {
        scope: vec![Scope::Publish, Scope::Room],
        path: Some("live/a".into()),
        app: None,
        sub: Some("console".into()),
        exp: NOW + 60,
    };
    let claims = verified(&make(&keys(), "openmic", &grant).unwrap()).unwrap();
    assert!(claims.has(Scope::Publish) && claims.has(Scope::Room) && !claims.has(Scope::Play));
    assert!(claims.is_for(&Path::new("live/a").unwrap()) && !claims.is_for(&Path::new("live/b").unwrap()));
    assert!(make(&Keys::default(), "openmic", &grant).is_none());
}

fn of_room(changes: &[(&str, Value)]) -> Value {
    let mut payload = json!({"aud": "openmic", "exp": NOW + 60, "scope": "room", "sub": "u7", "room": "r"});
    for (name, value) in changes {
        payload[*name] = value.clone();
    }
    payload
}

#[test]
fn a_token_of_a_room_says_which_who_and_what_and_nothing_that_cannot_be() {
    let room = |changes: &[(&str, Value)]| verified(&ours(&of_room(changes))).unwrap().room("room");
    let plain = room(&[]).unwrap();
    assert_eq!((plain.room.as_str(), plain.user.as_str(), plain.name.as_deref()), ("r", "u7", None));
    assert_eq!((plain.role, plain.info.as_str()), (::room::Role::Guest, ""));
    let whole = room(&[("name", json!("Ann")), ("role", json!("host")), ("info", json!({"a": 1}))]).unwrap();
    assert_eq!((whole.name.as_deref(), whole.role), (Some("Ann"), ::room::Role::Host));
    assert_eq!(whole.info, "{\"a\":1}", "an object is its text");
    for wrong in [
        ("scope", json!("play")),
        ("room", json!(7)),
        ("room", json!("a/b")),
        ("room", Value::Null),
        ("sub", json!("two words")),
        ("role", json!("admin")),
        ("name", json!(["Ann"])),
        ("app", json!("live")),
    ] {
        assert_eq!(room(std::slice::from_ref(&wrong)), None, "{wrong:?}");
    }
    let long = "u".repeat(101);
    assert_eq!(
        room(&[("sub", json!(long))]),
        None,
        "a user's id is never cut: the rest of it may be another's"
    );
    // What others mean by these names is their affair.
    assert!(verified(&ours(&with("room", json!([1, 2])))).is_ok());
}

#[test]
fn who_comes_back_may_bring_a_token_that_ran_out_and_none_that_is_wrong() {
    let old = ours(&of_room(&[("exp", json!(NOW - 3_600))]));
    assert_eq!(verified(&old).err(), Some(Wrong::Expired));
    assert!(verifier().verify_old(&old, NOW).is_ok());
    let early = ours(&of_room(&[("nbf", json!(NOW + 60))]));
    assert_eq!(verifier().verify_old(&early, NOW).err(), Some(Wrong::Early));
    assert_eq!(verifier().verify_old(&format!("{old}x"), NOW).err(), Some(Wrong::Token));
}

#[test]
fn the_key_of_rooms_makes_tokens_of_rooms_and_no_others() {
    let mut verifier = verifier();
    verifier.add_rooms("rooms", &SECRET.to_owned().into());
    let grant = RoomGrant {
        room: "r".into(),
        sub: "u7".into(),
        name: Some("Ann".into()),
        role: ::room::Role::Cohost,
        info: String::new(),
        exp: NOW + 60,
    };
    let token_of = |payload: &Value| {
        token(&json!({"alg": "HS256", "kid": "rooms"}), &payload.to_string(), hs256(SECRET.as_bytes()))
    };
    let made = make_room("rooms", &SECRET.to_owned().into(), "openmic", &grant);
    let claims = verifier.verify(&made, NOW).unwrap().room("room").unwrap();
    assert_eq!((claims.role, claims.name.as_deref()), (::room::Role::Cohost, Some("Ann")));
    for scope in ["admin", "room admin", "play", ""] {
        let forged = token_of(&of_room(&[("scope", json!(scope))]));
        assert_eq!(verifier.verify(&forged, NOW).err(), Some(Wrong::Token), "{scope}");
    }
}
