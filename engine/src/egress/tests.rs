use super::*;
use crate::address::host_pattern::HostPattern;
use crate::address::network::Network;
use crate::egress::rule::{Action, EgressRule};

const ANY: Egress = Egress { reach: Reach::Any, own_port: Some(5432) };
const PUBLIC: Egress = Egress { reach: Reach::Public, own_port: Some(5432) };

/// A rule for those that the set is for, from `host`, `address/bits` and port; `-` is all.
fn rule(action: Action, host: &str, network: &str, port: Option<u16>) -> EgressRule {
    let network = network
        .split_once('/')
        .map(|(address, bits)| Network::new(address.parse().unwrap(), bits.parse().unwrap()).unwrap());
    let host = (host != "-").then(|| HostPattern::parse(host).unwrap());
    EgressRule { id: 7, action, for_all: false, host, network, port }
}

fn for_all(rule: EgressRule) -> EgressRule {
    EgressRule { for_all: true, ..rule }
}

fn check(egress: Egress, url: &str, rules: &[EgressRule]) -> Result<(), String> {
    let rules = (!rules.is_empty()).then(|| RuleSet::new(rules.to_vec()));
    egress.check(&Target::parse(url).unwrap(), rules.as_ref()).map_err(|refusal| refusal.to_string())
}

/// What may be dialled where a name of this URL has these addresses.
fn dialled(egress: Egress, url: &str, addresses: &[&str], rules: &[EgressRule]) -> Result<Vec<String>, String> {
    let rules = (!rules.is_empty()).then(|| RuleSet::new(rules.to_vec()));
    let target = Target::parse(url).unwrap();
    let (host, port) = (target.url().host().unwrap(), target.url().port_or_known_default().unwrap());
    let addresses = addresses.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect::<Addresses>();
    let permitted = egress.permitted(&host, port, &addresses, rules.as_ref());
    permitted
        .map(|permitted| permitted.iter().map(|address| address.ip().to_string()).collect())
        .map_err(|refusal| refusal.to_string())
}

#[test]
fn every_spelling_of_a_closed_address_is_refused_whatever_is_allowed() {
    let all = [rule(Action::Allow, "-", "0.0.0.0/0", Some(80)), rule(Action::Allow, "-", "::/0", Some(80))];
    for host in [
        "169.254.169.254",
        "169.254.169.254.",
        "2852039166",
        "0xa9fea9fe",
        "0xA9.0xFE.0xA9.0xFE",
        "0251.0376.0251.0376",
        "025177524776",
        "169.254.43518",
        "169.16689662",
        "%31%36%39.254.169.254",
        "１６９.254。169.254",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[0:0:0:0:0:ffff:a9fe:a9fe]",
        "[::169.254.169.254]",
        "[::ffff:0:169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[64:ff9b:1::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[2001:0:a9fe:a9fe::]",
        "[2001::5601:5601]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
        "100.100.100.200",
        "168.63.129.16",
        "metadata.google.internal",
        "Metadata.Google.Internal.",
    ] {
        for rules in [&[][..], &all] {
            assert!(check(ANY, &format!("http://{host}/"), rules).is_err(), "{host}");
        }
    }
}

#[test]
fn a_refusal_says_why_and_holds_no_url() {
    let said = |egress, host: &str, rules: &[EgressRule]| {
        check(egress, &format!("http://user:secret@{host}/secret?secret"), rules).unwrap_err()
    };
    assert_eq!(said(ANY, "0xa9fea9fe", &[]), "169.254.169.254 is in 169.254.0.0/16: link-local");
    assert_eq!(
        said(ANY, "[64:ff9b::a9fe:a9fe]", &[]),
        "64:ff9b::a9fe:a9fe leads to 169.254.169.254, which is in 169.254.0.0/16: link-local"
    );
    assert_eq!(said(PUBLIC, "10.1.2.3", &[]), "10.1.2.3 is in 10.0.0.0/8: private use, and not public");
    assert_eq!(said(ANY, "localhost:5432", &[]), "port 5432 of this machine is the server's own");
    let deny = [rule(Action::Deny, "*.example", "-", None)];
    assert_eq!(said(ANY, "a.example", &deny), "egress rule 7 denies it");
    assert_eq!(said(ANY, "b.test", &deny), "no egress rule of the role allows it");
}

#[test]
fn any_is_everything_else() {
    for host in ["127.0.0.1", "localhost", "10.0.0.1", "[::1]", "[fd00::1]", "1.1.1.1", "example.com"] {
        assert_eq!(check(ANY, &format!("http://{host}/"), &[]), Ok(()), "{host}");
    }
}

#[test]
fn public_is_neither_special_nor_a_way_to_it() {
    for host in ["1.1.1.1", "[2600::1]", "example.com"] {
        assert_eq!(check(PUBLIC, &format!("http://{host}/"), &[]), Ok(()), "{host}");
    }
    for host in [
        "127.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "localhost",
        "a.localhost.",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[fd00::1]",
        "[64:ff9b::1.1.1.1]",
        "[2002:101:101::]",
        "[2001:db8::1]",
        "[4000::1]",
    ] {
        assert!(check(PUBLIC, &format!("http://{host}/"), &[]).is_err(), "{host}");
    }
}

#[test]
fn a_rule_that_names_the_network_opens_it_in_public() {
    let url = "http://app.internal/";
    let at = |address, rule: &EgressRule| dialled(PUBLIC, url, &[address], &[for_all(rule.clone())]).is_ok();
    let network = rule(Action::Allow, "-", "10.0.0.0/8", None);
    assert!(at("10.1.2.3", &network) && at("1.1.1.1", &network) && !at("192.168.1.1", &network));
    // A name is whatever its owner's name server says.
    assert!(!at("10.1.2.3", &rule(Action::Allow, "app.internal", "-", None)));
    assert!(at("10.1.2.3", &rule(Action::Allow, "app.internal", "10.0.0.0/8", Some(80))));
    assert!(!at("10.1.2.3", &rule(Action::Allow, "app.internal", "10.0.0.0/8", Some(81))));
    // To a translator, and no further.
    let translator = rule(Action::Allow, "-", "64:ff9b::/96", None);
    assert!(at("64:ff9b::101:101", &translator) && !at("64:ff9b::a00:1", &translator));
}

#[test]
fn the_own_port_is_closed_on_this_machine_alone() {
    for host in ["127.0.0.1", "127.9.9.9", "localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"] {
        assert!(check(ANY, &format!("http://{host}:5432/"), &[]).is_err(), "{host}");
        assert_eq!(check(ANY, &format!("http://{host}:5433/"), &[]), Ok(()), "{host}");
    }
    assert_eq!(check(ANY, "http://1.1.1.1:5432/", &[]), Ok(()));
    assert_eq!(check(Egress::default(), "http://127.0.0.1:5432/", &[]), Ok(()));
    // Who allows loopback does not think of this port.
    let network = [rule(Action::Allow, "-", "127.0.0.0/8", None)];
    assert!(check(ANY, "http://127.0.0.1:5432/", &network).is_err());
    let port = [rule(Action::Allow, "-", "127.0.0.0/8", Some(5432))];
    assert_eq!(check(ANY, "http://127.0.0.1:5432/", &port), Ok(()));
}

#[test]
fn those_with_rules_may_call_what_these_allow() {
    let rules = [
        rule(Action::Allow, "*.example.com", "-", Some(443)),
        rule(Action::Allow, "-", "10.0.0.0/8", None),
        rule(Action::Deny, "-", "10.9.0.0/16", None),
        for_all(rule(Action::Allow, "other.test", "-", None)),
    ];
    for (url, addresses, expected) in [
        ("https://api.example.com/", &["1.1.1.1"][..], true),
        ("http://api.example.com/", &["1.1.1.1"], false),
        ("https://example.com/", &["1.1.1.1"], false),
        ("http://app.test/", &["10.0.0.1"], true),
        ("http://app.test/", &["11.0.0.1"], false),
        ("http://app.test/", &["10.9.0.1"], false),
        // Denied by its network, although its name is allowed.
        ("https://api.example.com/", &["10.9.0.1"], false),
        ("https://api.example.com/", &["64:ff9b::a09:1"], false),
        // What is allowed for all opens nothing to those with rules of their own.
        ("http://other.test/", &["1.1.1.1"], false),
    ] {
        assert_eq!(dialled(ANY, url, addresses, &rules).is_ok(), expected, "{url} {addresses:?}");
    }
    // By the URL alone: what may yet turn out to be allowed passes.
    for (url, expected) in [
        ("https://api.example.com/", true),
        ("http://app.test/", true),
        ("http://10.0.0.1/", true),
        ("http://11.0.0.1/", false),
        ("http://10.9.0.1/", false),
    ] {
        assert_eq!(check(ANY, url, &rules).is_ok(), expected, "{url}");
    }
    // Who is denied something and allowed nothing may call nothing.
    assert!(check(ANY, "http://1.1.1.1/", &rules[2..3]).is_err());
    assert_eq!(check(ANY, "http://1.1.1.1/", &[for_all(rules[2].clone())]), Ok(()));
}

#[test]
fn of_several_addresses_the_permitted_ones_are_dialled() {
    let url = "http://rotating.example/";
    assert_eq!(dialled(ANY, url, &["1.1.1.1", "169.254.169.254", "1.0.0.1"], &[]).unwrap(), ["1.1.1.1", "1.0.0.1"]);
    assert_eq!(dialled(PUBLIC, url, &["10.0.0.1", "1.1.1.1"], &[]).unwrap(), ["1.1.1.1"]);
    let all = dialled(ANY, url, &["169.254.169.254", "fd00:ec2::254"], &[]).unwrap_err();
    assert_eq!(all, "169.254.169.254 is in 169.254.0.0/16: link-local");
}

#[test]
fn behind_a_proxy_the_name_has_to_be_enough() {
    let behind = |egress: Egress, url: &str, rules: &[EgressRule]| {
        let rules = (!rules.is_empty()).then(|| RuleSet::new(rules.to_vec()));
        let target = Target::parse(url).unwrap();
        let (host, port) = (target.url().host().unwrap(), target.url().port_or_known_default().unwrap());
        egress.check_behind_proxy(&host, port, rules.as_ref()).is_ok()
    };
    assert!(behind(PUBLIC, "http://app.test/", &[]));
    for url in ["http://169.254.169.254/", "http://metadata.google.internal/", "http://10.0.0.1/", "http://localhost/"]
    {
        assert!(!behind(PUBLIC, url, &[]), "{url}");
    }
    let network = [rule(Action::Allow, "-", "10.0.0.0/8", None)];
    assert!(behind(ANY, "http://10.0.0.1/", &network) && !behind(ANY, "http://app.test/", &network));
    assert!(behind(ANY, "http://app.test/", &[rule(Action::Allow, "app.test", "-", None)]));
    assert!(!behind(ANY, "http://app.test/", &[for_all(rule(Action::Deny, "app.test", "-", None))]));
}
