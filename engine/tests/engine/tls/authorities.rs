//! The file of authorities.

use std::fs;

use engine::Policy;

use crate::servers::certificates::Authority;
use crate::servers::host::{Host, text};
use crate::tls::{serving, trusting, url};

#[test]
fn case_39_what_is_broken_in_the_file_of_authorities_is_passed_by_and_named() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = fs::read_to_string(&authority.file).unwrap();
    let damaged = fs::read_to_string(&other.file).unwrap().replacen("MII", "MIJ", 1);
    let distrusted = good.replace("CERTIFICATE", "TRUSTED CERTIFICATE").replacen("-----END", "AAAA\n-----END", 1);
    let lines = |text: &str| text.lines().count();
    let file = authority.file.with_extension("bundle");
    let text_of_all = format!("\u{feff}{damaged}words\n{good}{distrusted}-----BEGIN CERTIFICATE-----\nMII\n");
    fs::write(&file, &text_of_all).unwrap();
    let policy = Policy { ca_file: Some(file.clone()), ..trusting(&authority) };

    let broken = policy.broken_authorities();
    let at = [1, lines(&damaged) + 1 + lines(&good) + 1, lines(&text_of_all) - 1];
    for (told, (number, line)) in broken.iter().zip([(1, at[0]), (3, at[1]), (4, at[2])]) {
        assert!(told.starts_with(&format!("{}: certificate {number} (line {line}): ", file.display())), "{told}");
    }
    assert_eq!(broken.len(), 3, "{broken:?}");
    assert_eq!(policy.unusable_files(), Vec::<String>::new());

    let server = serving(authority.server("localhost", &[]));
    let host = Host::new(policy);
    assert_eq!(text(&host.get(&url(&server, "localhost"))), "secure");
    fs::remove_file(file).unwrap();
}
