//! A network of a test's own: addresses that must not be dialled can be dialled there, and whoever does meets the test.

use std::any::type_name;
use std::fs;
use std::process::Command;

use crate::scratch::Scratch;

/// Set for the process that runs a test in its network: where the file is that stands for /etc/hosts there.
const INSIDE: &str = "PGNET_TEST_NETWORK";

/// A network namespace with nothing but a loopback interface, which may have any address, and with names of its own.
#[derive(Default)]
pub struct Network {
    addresses: Vec<String>,
}

/// The names that resolve in a [`Network`].
pub struct Hosts(String);

impl Network {
    /// One that has these addresses besides 127.0.0.1 and ::1.
    pub fn with(addresses: &[&str]) -> Self {
        Self { addresses: addresses.iter().map(|&address| address.to_owned()).collect() }
    }

    /// Runs the body of a test in it: this program is started again for the test alone, in a new namespace.
    ///
    /// The body must be a closure that the test itself holds; by that the test is found.
    #[track_caller]
    pub fn run<F: FnOnce(&Hosts)>(&self, body: F) {
        if let Ok(hosts) = std::env::var(INSIDE) {
            return body(&Hosts(hosts));
        }
        let scratch = Scratch::new("network");
        let hosts = scratch.file("hosts", "127.0.0.1 localhost\n::1 localhost\n");
        let output = Command::new("unshare")
            .args(if rustix::process::geteuid().is_root() { &[][..] } else { &["--map-root-user"] })
            .args(["--net", "--mount", "sh", "-euc", &self.script()])
            .arg(std::env::current_exe().expect("the path of this program"))
            .args(["--exact", test_name::<F>(), "--nocapture"])
            .env(INSIDE, &hosts)
            .output()
            .expect("run unshare");
        let printed = String::from_utf8_lossy(&output.stdout);
        let passed = output.status.success() && printed.contains("1 passed");
        assert!(passed, "in a network of its own:\n{printed}{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes the network ready and goes on as the program in `$0`.
    fn script(&self) -> String {
        let add = |address: &String| format!("ip address add {address} dev lo\n");
        let addresses: String = self.addresses.iter().map(add).collect();
        // Postgres does not run as root, nor as one who looks like root: outside, it was somebody else.
        let uid = rustix::process::geteuid();
        let step_down = match uid.is_root() {
            true => String::new(),
            false => {
                let gid = rustix::process::getegid();
                format!("unshare --user --map-user={} --map-group={}", uid.as_raw(), gid.as_raw())
            }
        };
        format!("ip link set lo up\n{addresses}mount --bind \"${INSIDE}\" /etc/hosts\nexec {step_down} \"$0\" \"$@\"")
    }
}

impl Hosts {
    /// Has a name resolve to these addresses, and no other name but localhost.
    pub fn point(&self, name: &str, addresses: &[&str]) {
        let lines: String = addresses.iter().map(|address| format!("{address} {name}\n")).collect();
        fs::write(&self.0, format!("127.0.0.1 localhost\n{lines}")).expect("write the hosts file");
    }
}

/// The name under which the test harness knows the function that a closure stands in.
fn test_name<F>() -> &'static str {
    let closure = type_name::<F>();
    let path = closure.split_once("::").map_or(closure, |(_, path)| path);
    path.strip_suffix("::{{closure}}").unwrap_or(path)
}
