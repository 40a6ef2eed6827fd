//! The PC/SC stack that one test needs: the system's library, pcscd, the virtual reader's driver and two public tools.

use std::path::Path;
use std::process::{Command, Stdio};

/// Debian's names.
const PACKAGES: [&str; 5] = ["libpcsclite-dev", "pcscd", "vsmartcard-vpcd", "opensc", "pcsc-tools"];
/// The virtual reader's driver, once its package is there.
const DRIVER: &str = "/etc/reader.conf.d/vpcd";

fn runs(program: &str, arguments: &[&str]) -> bool {
    let silent = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    silent.is_ok_and(|status| status.success())
}

/// Whether code that needs the PC/SC library can be built.
pub(crate) fn has_library() -> bool {
    runs("pkg-config", &["--exists", "libpcsclite"])
}

/// Whether the test can run: all programs are there.
pub(crate) fn has_stack() -> bool {
    let programs = [("pcscd", "--version"), ("opensc-tool", "--version"), ("pcsc_scan", "-V")];
    has_library() && Path::new(DRIVER).exists() && programs.iter().all(|(program, ask)| runs(program, &[ask]))
}

/// Installs what is missing, where Debian's packages may be installed.
pub(crate) fn install() {
    if has_stack() {
        return;
    }
    println!("\n== pc/sc: installing {}", PACKAGES.join(", "));
    let mut apt = Command::new("apt-get");
    apt.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(PACKAGES);
    apt.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    let installed = apt.status().is_ok_and(|status| status.success()) && has_stack();
    println!("== pc/sc: {}", if installed { "installed" } else { "not installed" });
}
