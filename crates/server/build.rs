//! The web bundle is embedded from `web/dist`. A tree in which it was not built yet compiles all the same, with a
//! page that says how to build it.

use std::path::Path;

fn main() {
    let bundle = Path::new("../../web/dist");
    if let Err(error) = std::fs::create_dir_all(bundle) {
        println!("cargo::warning=cannot make {}: {error}", bundle.display());
    }
    println!("cargo::rerun-if-changed={}", bundle.display());
}
