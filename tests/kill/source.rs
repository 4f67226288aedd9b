//! Where an instruction is in the source.

use std::process::Command;

/// The source line of an address of this process, if `addr2line` is installed; else the offset in
/// its file.
pub(crate) fn line(address: u64) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    // The first mapping of a file starts at its offset 0, which is where its addresses count from.
    let mut base = (0, "");
    for map in maps.lines() {
        let mut words = map.split_whitespace();
        let Some((start, end)) = words.next().and_then(|range| range.split_once('-')) else {
            continue;
        };
        let file = words.nth(4).unwrap_or_default();
        let (Ok(start), Ok(end)) = (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16))
        else {
            continue;
        };
        if file != base.1 {
            base = (start, file);
        }
        if (start..end).contains(&address) {
            let offset = address - base.0;
            return symbol(file, offset).unwrap_or_else(|| {
                format!("{}+{offset:#x}", file.rsplit('/').next().unwrap_or(file))
            });
        }
    }
    format!("{address:#x}")
}

fn symbol(file: &str, offset: u64) -> Option<String> {
    let found = Command::new("addr2line")
        .args(["-e", file, "-f", "-C", "-s", "-p", &format!("{offset:#x}")])
        .output()
        .ok()?;
    let text = String::from_utf8(found.stdout).ok()?;
    (found.status.success() && !text.starts_with("??")).then(|| text.trim().to_owned())
}
