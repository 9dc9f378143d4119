use crate::case::Case;
use crate::certificate::{Plan, file};

/// Servers that want a certificate of ours.
pub(crate) fn cases() -> Vec<Case> {
    let authority = Plan::authority().self_signed();
    let stranger = Plan { common_name: "Stranger", ..Plan::authority() }.self_signed();
    let end = Plan::default().signed_by(&authority);
    let known = file(authority.pem());
    let asking = |name, version| {
        let arguments = [version, "-Verify", "3", "-verify_return_error", "-CAfile", known.to_str().unwrap()];
        Case::new(name, &[&end], &arguments).trusting(&authority)
    };
    let client = Plan { common_name: "client", names: &[], ..Plan::default() };
    let (mine, strangers) = (client.signed_by(&authority), client.signed_by(&stranger));
    let expired = Plan { days: (-3, -1), ..client }.signed_by(&authority);
    let kind = "client_certificate_refused";
    let later = "libcurl finds that its reading fails (56), or that it cannot write (55)";
    let general = "to libcurl the handshake failed (35), or the server's certificate is not good (60)";
    vec![
        asking("TLS 1.3, the right one", "-tls1_3").showing(&mine),
        asking("TLS 1.2, the right one", "-tls1_2").showing(&mine),
        asking("TLS 1.3, none", "-tls1_3").fails(kind, "certificate required").unlike_curl(later),
        asking("TLS 1.2, none", "-tls1_2").fails(kind, "handshake failure").unlike_curl(general),
        asking("TLS 1.3, of an authority that it does not know", "-tls1_3")
            .showing(&strangers)
            .fails(kind, "unknown ca")
            .unlike_curl(later),
        asking("TLS 1.2, of an authority that it does not know", "-tls1_2")
            .showing(&strangers)
            .fails(kind, "unknown ca")
            .unlike_curl(general),
        asking("TLS 1.3, expired", "-tls1_3").showing(&expired).fails(kind, "certificate expired").unlike_curl(later),
        asking("TLS 1.2, expired", "-tls1_2").showing(&expired).fails(kind, "certificate expired").unlike_curl(general),
        asking("TLS 1.3, with another's key", "-tls1_3")
            .showing_files(&mine.pem(), &Plan::default().self_signed().key_pem())
            .fails("client_certificate", "does not belong"),
    ]
}
