//! The example configuration says what the server does without one.

use std::path::Path;

use server::Config;

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
            names.iter().any(|name| key == Some(name))
        };
        assert!(text.lines().any(has), "{field} is missing");
    }
}
