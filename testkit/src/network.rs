//! A network of a test's own: addresses that must not be dialled can be dialled there, and the test answers.

use std::any::type_name;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::scratch::Scratch;

/// Set for the process that runs in a network: the directory with the files that stand for those of /etc there.
const INSIDE: &str = "PGNET_TEST_NETWORK";

/// A network namespace with nothing but a loopback interface, which may have any address, and with names of its own.
#[derive(Default)]
pub struct Network {
    addresses: Vec<String>,
    resolv_conf: Option<String>,
}

/// The names that resolve in a [`Network`].
pub struct Hosts(PathBuf);

impl Network {
    /// One that has these addresses besides 127.0.0.1 and ::1.
    pub fn with(addresses: &[&str]) -> Self {
        Self { addresses: addresses.iter().map(|&address| address.to_owned()).collect(), resolv_conf: None }
    }

    /// One in which names that are not in the hosts file are asked of the servers that this resolv.conf names. They can be
    /// started there, as they need no right for their port.
    pub fn asking(self, resolv_conf: &str) -> Self {
        Self { resolv_conf: Some(resolv_conf.to_owned()), ..self }
    }

    /// Runs the body of a test in it: this program is started again for the test alone, in a new namespace.
    ///
    /// The body must be a closure that the test itself holds; by that the test is found.
    #[track_caller]
    pub fn run<F: FnOnce(&Hosts)>(&self, body: F) {
        if let Some(hosts) = Self::inside() {
            return body(&hosts);
        }
        let output = self.output_of(&["--exact", test_name::<F>(), "--nocapture"]);
        let printed = String::from_utf8_lossy(&output.stdout);
        let passed = output.status.success() && printed.contains("1 passed");
        assert!(passed, "in a network of its own:\n{printed}{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The names of the network that this process was started in; none if it was not.
    pub fn inside() -> Option<Hosts> {
        std::env::var_os(INSIDE).map(|directory| Hosts(directory.into()))
    }

    /// Starts this program with other arguments in the network, and gives its output when it has ended.
    pub fn output_of(&self, arguments: &[&str]) -> Output {
        let scratch = Scratch::new("network");
        scratch.file("hosts", "127.0.0.1 localhost\n::1 localhost\n");
        scratch.file("nsswitch.conf", "hosts: files dns\n");
        scratch.file("resolv.conf", self.resolv_conf.as_deref().unwrap_or_default());
        Command::new("unshare")
            .args(if rustix::process::geteuid().is_root() { &[][..] } else { &["--map-root-user"] })
            .args(["--net", "--mount", "sh", "-euc", &self.script()])
            .arg(std::env::current_exe().expect("the path of this program"))
            .args(arguments)
            .env(INSIDE, scratch.path())
            .output()
            .expect("run unshare")
    }

    /// Makes the network ready and goes on as the program in `$0`.
    fn script(&self) -> String {
        let add = |address: &String| format!("ip address add {address} dev lo\n");
        let addresses: String = self.addresses.iter().map(add).collect();
        // Postgres does not run as root, also not as a root of a namespace: outside, it runs as another user.
        let uid = rustix::process::geteuid();
        let step_down = match uid.is_root() {
            true => String::new(),
            false => {
                let gid = rustix::process::getegid();
                format!("unshare --user --map-user={} --map-group={}", uid.as_raw(), gid.as_raw())
            }
        };
        let files: &[_] =
            if self.resolv_conf.is_some() { &["hosts", "nsswitch.conf", "resolv.conf"] } else { &["hosts"] };
        let mount = |file: &&str| format!("mount --bind \"${INSIDE}/{file}\" /etc/{file}\n");
        let files: String = files.iter().map(mount).collect();
        // Who has stepped down may not take the port of name servers otherwise; root may, also where /proc/sys is shut.
        let ports = "echo 0 2>/dev/null >/proc/sys/net/ipv4/ip_unprivileged_port_start || true\n";
        format!("ip link set lo up\n{addresses}{files}{ports}exec {step_down} \"$0\" \"$@\"")
    }
}

impl Hosts {
    /// Has a name resolve to these addresses, and no other name of the hosts file but localhost.
    pub fn point(&self, name: &str, addresses: &[&str]) {
        let lines: String = addresses.iter().map(|address| format!("{address} {name}\n")).collect();
        self.write("hosts", &format!("127.0.0.1 localhost\n{lines}"));
    }

    /// Has a file say something else: `hosts`, or, in a network that [asks](Network::asking), `resolv.conf` or `nsswitch.conf`.
    pub fn write(&self, file: &str, content: &str) {
        fs::write(self.0.join(file), content).expect("write a file of the network's");
    }
}

/// The name under which the test harness knows the function that a closure stands in.
fn test_name<F>() -> &'static str {
    let closure = type_name::<F>();
    let path = closure.split_once("::").map_or(closure, |(_, path)| path);
    path.strip_suffix("::{{closure}}").unwrap_or(path)
}
