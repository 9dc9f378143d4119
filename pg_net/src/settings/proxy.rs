//! The proxy that requests go through.

use std::ffi::{CStr, CString};

use engine::{NoProxy, Policy, Proxy};
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use super::text;
use crate::pg::process::check_hook::{Refusal, check_hook, define_checked};

static PROXY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
// Postgres logs the value of a setting that a reload has changed, and shows it to those who may read settings. So user name
// and password stand in a file.
static CREDENTIALS_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static NO_PROXY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

pub(super) fn define() {
    define_checked(
        c"pg_net.proxy",
        c"Proxy that requests go through, such as http://proxy.example:3128.",
        c"The scheme is http, https, socks5, or socks5h, which leaves it to the proxy to resolve names.",
        &PROXY,
        GucContext::Sighup,
        check_hook!(accept_proxy),
    );
    define_checked(
        c"pg_net.no_proxy",
        c"Hosts that are reached without the proxy, separated by commas.",
        c"A name stands for all below it, too; addresses, networks such as 10.0.0.0/8, and * for all; each with a port or without.",
        &NO_PROXY,
        GucContext::Sighup,
        check_hook!(accept_no_proxy),
    );
    GucRegistry::define_string_guc(
        c"pg_net.proxy_credentials_file",
        c"File whose first line is user:password for the proxy.",
        c"Read again when the configuration is reloaded.",
        &CREDENTIALS_FILE,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
}

fn accept_proxy(value: &CStr) -> Result<(), Refusal> {
    const MESSAGE: &CStr = c"invalid value for parameter \"pg_net.proxy\"";
    let value = value.to_string_lossy();
    if value.is_empty() {
        return Ok(());
    }
    let proxy = Proxy::parse(&value).map_err(|error| Refusal::new(error).with_message(MESSAGE))?;
    if proxy.has_credentials() {
        let detail = "User name and password belong in the file that pg_net.proxy_credentials_file names.";
        return Err(Refusal::new(detail).with_message(MESSAGE));
    }
    Ok(())
}

fn accept_no_proxy(value: &CStr) -> Result<(), Refusal> {
    NoProxy::parse(&value.to_string_lossy()).map(drop).map_err(Refusal::new)
}

pub(super) fn apply(policy: &mut Policy) {
    // The check hooks have seen to it that both parse.
    let proxy = text(&PROXY).and_then(|value| Proxy::parse(&value).ok());
    policy.proxy = proxy.map(|proxy| match text(&CREDENTIALS_FILE) {
        Some(path) => proxy.with_credentials_file(path.into()),
        None => proxy,
    });
    policy.no_proxy = text(&NO_PROXY).and_then(|value| NoProxy::parse(&value).ok()).unwrap_or_default();
}
