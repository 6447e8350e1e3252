//! What `PRAGMA` may do. Connections are the hub's, shared by all tabs: what would change one for everybody, or endanger the
//! database, is refused with a remedy; what cannot be otherwise is answered; the rest is `SQLite`'s.

use crate::vfs::PragmaRuling;

/// Read-only or stored in the database itself.
const HARMLESS: &[&str] = &[
    "analysis_limit",
    "application_id",
    "collation_list",
    "data_version",
    "database_list",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "optimize",
    "page_count",
    "pragma_list",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// May be asked, not set.
const READ_ONLY: &[&str] = &[
    "auto_vacuum",
    "cache_size",
    "encoding",
    "foreign_keys",
    "max_page_count",
    "page_size",
    "recursive_triggers",
    "schema_version",
    "secure_delete",
    "temp_store",
    "trusted_schema",
    "writable_schema",
];

/// Asked, or set to what it is anyway, these answer; set to anything else, they are refused.
const FIXED: &[(&str, &str, &[&str], &str)] = &[
    ("journal_mode", "memory", &["memory"], "commits are atomic and durable through tabhub's own log: leave it out"),
    ("locking_mode", "normal", &["normal"], "the hub is the only process that opens the database: leave it out"),
    ("synchronous", "2", &["full", "2"], "use the option durability: 'strict' | 'relaxed' of open() or of the call"),
    ("mmap_size", "0", &["0"], "there is no file to map: leave it out"),
    ("busy_timeout", "0", &["0"], "tabs never see SQLITE_BUSY; use the option timeout of the call"),
];

/// Rules on a user's pragma. `foreign_keys_settable`: inside `exec`, outside of a transaction.
pub fn rule(name: &str, value: Option<&str>, foreign_keys_settable: bool) -> PragmaRuling {
    let name = name.to_ascii_lowercase();
    if HARMLESS.contains(&name.as_str()) {
        return PragmaRuling::Pass;
    }
    if let Some((_, is, same, remedy)) = FIXED.iter().find(|(fixed, ..)| *fixed == name) {
        return match value {
            None => PragmaRuling::Answer(is),
            Some(v) if same.contains(&v.to_ascii_lowercase().as_str()) => PragmaRuling::Answer(is),
            Some(v) => {
                PragmaRuling::Refuse(["PRAGMA ", &name, " = ", v, " is not possible in a tabhub database: ", remedy].concat())
            }
        };
    }
    if READ_ONLY.contains(&name.as_str()) {
        return match value {
            None => PragmaRuling::Pass,
            Some(_) if name == "foreign_keys" && foreign_keys_settable => PragmaRuling::Pass,
            Some(_) if name == "foreign_keys" => PragmaRuling::Refuse(
                "PRAGMA foreign_keys can be set only at the beginning of exec() and holds until its end: move it there, or use PRAGMA defer_foreign_keys inside the transaction".into(),
            ),
            Some(_) => PragmaRuling::Refuse(["PRAGMA ", &name, " cannot be changed: all tabs share the connection"].concat()),
        };
    }
    PragmaRuling::Refuse(["PRAGMA ", &name, " is unknown or not available in a tabhub database"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_endangers_the_database_or_other_tabs_is_refused_and_the_rest_answers_honestly() {
        let ask = |name: &str, value: Option<&str>| match rule(name, value, false) {
            PragmaRuling::Pass => "pass".to_owned(),
            PragmaRuling::Answer(a) => a.to_owned(),
            PragmaRuling::Refuse(_) => "refused".to_owned(),
        };
        for (name, value, ruling) in [
            ("table_info", Some("t"), "pass"),
            ("Integrity_Check", None, "pass"),
            ("journal_mode", None, "memory"),
            ("journal_mode", Some("MEMORY"), "memory"),
            ("journal_mode", Some("WAL"), "refused"),
            ("journal_mode", Some("off"), "refused"),
            ("locking_mode", Some("exclusive"), "refused"),
            ("synchronous", Some("OFF"), "refused"),
            ("mmap_size", Some("100000"), "refused"),
            ("writable_schema", Some("1"), "refused"),
            ("page_size", None, "pass"),
            ("page_size", Some("512"), "refused"),
            ("foreign_keys", Some("0"), "refused"),
            ("no_such_pragma", None, "refused"),
        ] {
            assert_eq!(ask(name, value), ruling, "{name} {value:?}");
        }
        assert_eq!(rule("foreign_keys", Some("0"), true), PragmaRuling::Pass);
    }
}
