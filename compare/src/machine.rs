//! What the figures were measured on, and with which versions.

use std::fs;
use std::process::Command;

use crate::peers::python;
use crate::support::cpu::Cores;

/// A description, line by line: what, and its value.
pub(crate) fn describe(cores: &Cores) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("processor", processor()),
        ("cores used", format!("{} of {}", cores.count().min(2), online())),
        ("frequency governor", governor()),
        ("memory", memory()),
        ("kernel", kernel()),
    ];
    if let Some(version) = asked("rustc", "--version") {
        lines.push(("compiler", version));
    }
    lines.push(("Python", python::version().map_or_else(|| "none".into(), String::from)));
    lines
}

/// The version of a crate that this program was built with.
pub(crate) fn version(package: &str) -> Option<&'static str> {
    const LOCK: &str = include_str!("../../Cargo.lock");
    let name = format!("name = \"{package}\"");
    let mut lines = LOCK.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

fn unknown() -> String {
    "unknown".into()
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn asked(program: &str, option: &str) -> Option<String> {
    let output = Command::new(program).arg(option).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Its version, without what a distributor or a machine's owner calls it.
fn kernel() -> String {
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_else(unknown);
    release.split(['-', '+']).next().unwrap_or_default().to_owned()
}

fn processor() -> String {
    let info = read("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(unknown);
    let virtual_machine = field("flags").is_some_and(|f| f.split(' ').any(|f| f == "hypervisor"));
    let place = if virtual_machine { ", in a virtual machine" } else { "" };
    format!("{model}, {}{place}", std::env::consts::ARCH)
}

fn online() -> String {
    let online = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN);
    online.ok().flatten().map_or_else(unknown, |count| count.to_string())
}

fn governor() -> String {
    read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        .unwrap_or_else(|| "not readable".into())
}

fn memory() -> String {
    let info = read("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.map_or_else(unknown, |kib| format!("{:.0} GiB", kib / f64::from(1 << 20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found() {
        assert_eq!(version("outlive"), Some(env!("CARGO_PKG_VERSION")));
        assert!(version("iceoryx2").is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit())));
        assert_eq!(version("iceoryx"), None);
    }
}
