//! Whether the hub can serve the tab that says hello. Called by the hub before it looks at anything else of the tab's.

use crate::error::{Error, Result};
use crate::wire::{Hello, PROTOCOL_OLDEST, PROTOCOL_VERSION};
use std::ops::RangeInclusive;

/// A client's name goes into every commit record that its writes are in.
const CLIENT_BYTES_MAX: usize = 64;

/// # Errors
/// [`Error::Outdated`] for a tab older than what the hub serves, [`Error::Protocol`] for one newer than the hub,
/// [`Error::BadRequest`] for a client without a proper name.
pub fn check(hello: &Hello) -> Result<()> {
    check_protocol(hello.protocol, PROTOCOL_OLDEST..=PROTOCOL_VERSION)?;
    if (1..=CLIENT_BYTES_MAX).contains(&hello.client.len()) {
        return Ok(());
    }
    Err(Error::BadRequest(format!("`client` must be 1 to {CLIENT_BYTES_MAX} bytes, unique to the client")))
}

fn check_protocol(asked: u32, served: RangeInclusive<u32>) -> Result<()> {
    if served.contains(&asked) {
        return Ok(());
    }
    let versions = format!("this page runs tabhub protocol {asked}; the hub speaks {}: ", served.end());
    Err(if asked < *served.start() {
        Error::Outdated(versions + "reload the page to get the newer script")
    } else {
        Error::Protocol(versions + "reload or close the pages that are older")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(asked: u32, served: RangeInclusive<u32>) -> Option<&'static str> {
        check_protocol(asked, served).err().map(|error| error.code())
    }

    // At stake: after a deployment the pages of yesterday either go on or are told what to do, as one constant decides.
    #[test]
    fn older_tabs_are_served_down_to_the_oldest_and_told_to_reload_below() {
        assert_eq!([2, 3, 4, 5].map(|asked| code(asked, 3..=4)), [Some("HUB_OUTDATED"), None, None, Some("HUB_PROTOCOL")]);
        assert_eq!([3, 4].map(|asked| code(asked, 4..=4)), [Some("HUB_OUTDATED"), None]);
    }

    #[test]
    fn a_refusal_names_both_versions_and_the_way_out() {
        let error = check_protocol(2, 3..=4).unwrap_err();
        assert_eq!(
            error.message(),
            "this page runs tabhub protocol 2; the hub speaks 4: reload the page to get the newer script"
        );
    }

    #[test]
    fn this_build_serves_itself() {
        assert!(check_protocol(PROTOCOL_VERSION, PROTOCOL_OLDEST..=PROTOCOL_VERSION).is_ok());
    }
}
