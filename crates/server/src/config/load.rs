//! Reading the configuration: the file first, then `OPENMIC_SECTION_KEY` of the environment over it.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;

/// A configuration file is a page or two; more is a mistaken path.
const FILE_BYTES_MAX: u64 = 1 << 20;

const PREFIX: &str = "OPENMIC_";

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Variables that look like ours but name no section, for a warning.
    pub unknown_variables: Vec<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {error}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is longer than a configuration can be.
    #[error("{} has {bytes} bytes; a configuration file has at most {FILE_BYTES_MAX}", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// The file is no TOML, or has a key or a value that is not ours; the message names line and key.
    #[error("{}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What and where.
        error: Box<toml::de::Error>,
    },
    /// A variable names no key of its section, or holds what the key cannot be.
    #[error("the environment variable {name}: {what}")]
    Variable {
        /// Which variable.
        name: String,
        /// What is wrong.
        what: String,
    },
}

impl Config {
    /// Reads `file`, where there is one, and puts the variables over it. Nothing is checked but names and types;
    /// [`Config::check`] does the rest when flags have been put over it, too.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, LoadError> {
        let mut table = file.map_or(Ok(Table::new()), read)?;
        let mut unknown_variables = Vec::new();
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            // One word (OPENMIC_BIN and the like) is no setting.
            let Some((section, key)) = rest.split_once('_') else { continue };
            let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
            if !is_section(&section) {
                unknown_variables.push(name);
                continue;
            }
            let value = value_of(&section, &key, &text).map_err(|what| LoadError::Variable { name, what })?;
            if let Value::Table(section) = table.entry(section).or_insert_with(|| Table::new().into()) {
                section.insert(key, value);
            }
        }
        // Both the file and each variable were read as a configuration before, so this holds.
        let config = table.try_into().map_err(|error| LoadError::File {
            path: file.unwrap_or(Path::new("the configuration")).to_owned(),
            error: Box::new(error),
        })?;
        Ok(Loaded { config, unknown_variables })
    }
}

fn read(path: &Path) -> Result<Table, LoadError> {
    let unread = |error| LoadError::Read { path: path.to_owned(), error };
    let bytes = std::fs::metadata(path).map_err(unread)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(LoadError::TooLong { path: path.to_owned(), bytes });
    }
    let text = std::fs::read_to_string(path).map_err(unread)?;
    let wrong = |error| LoadError::File { path: path.to_owned(), error: Box::new(error) };
    // As a configuration only for its errors, which know lines; a table has lost them.
    toml::from_str::<Config>(&text).map_err(wrong)?;
    toml::from_str(&text).map_err(wrong)
}

fn is_section(name: &str) -> bool {
    Table::try_from(Config::default()).is_ok_and(|sections| sections.contains_key(name))
}

/// The value of one key from text: as TOML where that fits the key, as a string otherwise.
fn value_of(section: &str, key: &str, text: &str) -> Result<Value, String> {
    let fits = |value: Value| -> Result<Value, toml::de::Error> {
        let keys = Table::from_iter([(key.to_owned(), value.clone())]);
        let table = Table::from_iter([(section.to_owned(), keys.into())]);
        table.try_into::<Config>().map(|_| value)
    };
    let parsed = toml::from_str::<Table>(&format!("v = {text}")).ok().and_then(|mut table| table.remove("v"));
    let as_text = || fits(Value::String(text.to_owned()));
    let fitting = match parsed {
        Some(value) => fits(value).or_else(|error| as_text().map_err(|_| error)),
        None => as_text(),
    };
    fitting.map_err(|error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Loaded, LoadError> {
        Config::load(None, pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_variable_sets_any_key_of_any_section_whatever_its_type() {
        let loaded = load(&[
            ("OPENMIC_HTTP_LISTEN", "127.0.0.1:9000"),
            ("OPENMIC_HTTP_HOSTS", "[\"live.example\"]"),
            ("OPENMIC_EGRESS_LATENCY_MS", "100"),
            ("OPENMIC_EGRESS_CONGESTION", "cubic"),
            ("OPENMIC_ACCESS_OPEN_TO_EVERYONE", "true"),
            ("OPENMIC_BIN", "not a setting"),
            ("PATH", "not ours"),
        ])
        .unwrap();
        assert_eq!(loaded.config.http.listen.port(), 9000);
        assert_eq!(loaded.config.http.hosts, ["live.example"]);
        assert_eq!(loaded.config.egress.latency.as_millis(), 100);
        assert_eq!(loaded.config.egress.congestion, "cubic");
        assert!(loaded.config.access.open_to_everyone);
        assert!(loaded.unknown_variables.is_empty());
    }

    #[test]
    fn a_variable_with_an_unknown_key_or_a_wrong_value_is_named() {
        let key = load(&[("OPENMIC_HTTP_LISTENN", "x")]).unwrap_err().to_string();
        assert!(key.contains("OPENMIC_HTTP_LISTENN") && key.contains("unknown field `listenn`"), "{key}");
        let value = load(&[("OPENMIC_HLS_PART_MS", "soon")]).unwrap_err().to_string();
        assert!(value.contains("OPENMIC_HLS_PART_MS"), "{value}");
        assert_eq!(load(&[("OPENMIC_HTPP_LISTEN", "x")]).unwrap().unknown_variables, ["OPENMIC_HTPP_LISTEN"]);
    }

    #[test]
    fn an_unknown_key_of_the_file_is_refused_with_its_line() {
        let path = std::env::temp_dir().join(format!("openmic-load-{}.toml", std::process::id()));
        std::fs::write(&path, "[http]\nlisten = \"127.0.0.1:1\"\nlisen = 3\n").unwrap();
        let error = Config::load(Some(&path), []).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains("line 3") && error.contains("lisen"), "{error}");
    }

    #[test]
    fn the_printed_configuration_reads_back_the_same() {
        let text = toml::to_string(&Config::default()).unwrap();
        let again: Config = toml::from_str(&text).unwrap();
        assert_eq!(toml::to_string(&again).unwrap(), text);
    }
}
