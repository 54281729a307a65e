//! The example configurations say what the server does without one, and with them.

use std::path::Path;

use e2e::healthy::serve;
use e2e::keys::Kit;
use server::Config;
use server::config::Permission;
use server::sessions::Action;

#[test]
fn the_example_configuration_is_that_of_a_server_without_one() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openmic.example.toml");
    let loaded = Config::load(Some(&example), []).expect("it has only keys that exist");
    assert_eq!(format!("{:#?}", loaded.config), format!("{:#?}", Config::default()));
    let text = std::fs::read_to_string(&example).expect("just read");
    // Debug names fields as the code does, whose times have no unit; every one must stand in the example.
    for line in format!("{:#?}", Config::default()).lines() {
        let Some((field, _)) = line.trim().split_once(": ") else { continue };
        let names = [field.to_owned(), format!("{field}_ms")];
        let has = |line: &str| {
            let key = line.trim_start_matches('#').trim_start_matches('[').split([' ', ']']).next();
            let in_table = |name: &String| {
                [format!("{{ {name} = "), format!(", {name} = ")].iter().any(|key| line.contains(key))
            };
            names.iter().any(|name| key == Some(name) || in_table(name))
        };
        assert!(text.lines().any(has), "{field} is missing");
    }
}

#[tokio::test]
async fn the_examples_are_configurations_that_do_what_they_say() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let load =
        |name| Config::load(Some(&examples.join(name)), []).expect("it has only keys that exist").config;
    let nginx = load("nginx/openmic.toml");
    assert!(
        nginx.http.listen.ip().is_loopback()
            && nginx.access.required
            && nginx.http.trusted_proxies.len() == 2
    );
    let (kit, apps) = (Kit::new(), load("apps/openmic.toml"));
    let app = serve(|config| {
        config.access = apps.access;
        config.data.dir = kit.data();
    })
    .await;
    let may = |path, action| {
        app.context().access.permission(&server::access::Path::new(path).expect("well-formed"), action)
    };
    for (path, publish, play) in [
        ("school/a", Permission::Keys, Permission::Keys),
        ("lecture/a", Permission::Keys, Permission::Open),
        ("camera-7/a", Permission::Open, Permission::Keys),
        ("live/a", Permission::None, Permission::None),
    ] {
        assert_eq!((may(path, Action::Publish), may(path, Action::Play)), (publish, play), "{path}");
    }
}
