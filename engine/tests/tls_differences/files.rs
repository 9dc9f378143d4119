use crate::case::Case;
use crate::certificate::{Identity, Plan};

/// Files of authorities as they are found in the field.
pub(crate) fn cases() -> Vec<Case> {
    let authority = Plan::authority().self_signed();
    let end = Plan::default().signed_by(&authority);
    let with = |name, file: &dyn AsRef<[u8]>| Case::new(name, &[&end], &[]).trusting_file(file.as_ref());
    let good = authority.pem();
    let relabelled = |label: &str| good.replace("CERTIFICATE", label);
    let other = Plan { common_name: "Another", ..Plan::authority() }.self_signed().pem();
    let damaged = other.replacen("MII", "M!!", 1);
    let cut = other.replacen("-----END CERTIFICATE-----", "", 1);
    let utf16 = good.encode_utf16().flat_map(u16::to_le_bytes);
    let passed_by = "what is broken is passed by, and a warning says so";
    let refused = |purpose| trusted(&authority, &["-addreject", purpose]);
    vec![
        with("lines that end as in DOS", &good.replace('\n', "\r\n")),
        with("words around it", &format!("Subject: Authority\n{good}\nand so on\n")),
        with("a certificate before it", &format!("{other}{good}")),
        with("X509 CERTIFICATE", &relabelled("X509 CERTIFICATE")),
        with("TRUSTED CERTIFICATE, as it is", &relabelled("TRUSTED CERTIFICATE")),
        with("TRUSTED CERTIFICATE, for servers", &trusted(&authority, &["-addtrust", "serverAuth"])),
        with("TRUSTED CERTIFICATE, with a name", &trusted(&authority, &["-setalias", "ours"])),
        with("TRUSTED CERTIFICATE, not for clients", &refused("clientAuth")),
        with("a broken one before it", &format!("{damaged}{good}")).unlike_curl(passed_by),
        with("a broken one after it", &format!("{good}{damaged}")).unlike_curl(passed_by),
        with("one without an end before it", &format!("{cut}{good}")).unlike_curl(passed_by),
        with("with a mark of its encoding", &format!("\u{feff}{good}")),
        with("in UTF-16, as Windows may write it", &[vec![0xff, 0xfe], utf16.collect()].concat())
            .unlike_curl("the text is what counts"),
        with("TRUSTED CERTIFICATE, not for servers", &refused("serverAuth"))
            .fails("certificate", "not to be trusted for servers"),
        with("TRUSTED CERTIFICATE, for clients only", &trusted(&authority, &["-addtrust", "clientAuth"]))
            .fails("certificate", "not to be trusted for servers"),
        with("nothing but a broken one", &damaged)
            .fails("certificate", "no certificate in it can be read")
            .unlike_curl("77 says that of a file, which we have no name for"),
        with("no certificate", &"to be done")
            .fails("certificate", "no certificate in it")
            .unlike_curl("77 says that of a file, which we have no name for"),
    ]
}

/// As openssl writes it, with settings of its own.
fn trusted(authority: &Identity, settings: &[&str]) -> String {
    let plain = crate::certificate::file(authority.pem());
    let mut command = std::process::Command::new("openssl");
    let output = command.args(["x509", "-trustout", "-in"]).arg(plain).args(settings).output().expect("openssl");
    String::from_utf8(output.stdout).unwrap()
}
