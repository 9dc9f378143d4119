//! Figures that a process of this program measures in a network of its own, and prints.

use std::collections::BTreeMap;

use testkit::Network;

/// The figures by what they are of.
pub(super) type Figures = BTreeMap<String, Vec<f64>>;

/// Runs this program with `argument` in a network whose names are asked of the servers that `resolv_conf` names. It prints a line
/// for each figure: what it is of, and the figure.
pub(super) fn measure(argument: &str, resolv_conf: &str) -> Figures {
    let output = Network::default().asking(resolv_conf).output_of(&[argument]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let mut figures = Figures::new();
    for line in printed.lines() {
        let (of, figure) = line.split_once(' ').expect("a figure");
        figures.entry(of.to_owned()).or_default().push(figure.parse().expect("a number"));
    }
    figures
}
