//! This process's executable in memory: dl_iterate_phdr(3), elf(5).
#![allow(unsafe_code)] // reads what the loader says

use core::ops::Range;
use std::sync::OnceLock;

/// Where the executable is, and which part of it never changes while it runs.
#[derive(Debug)]
pub(crate) struct Image {
    base: usize,
    /// What is not writable, or is not once the loader has relocated it.
    constant: Vec<Range<usize>>,
}

impl Image {
    /// None where the loader does not tell.
    pub(crate) fn own() -> Option<&'static Self> {
        static OWN: OnceLock<Option<Image>> = OnceLock::new();
        OWN.get_or_init(|| {
            let mut image = None;
            // SAFETY: `look` gets the pointer to `image`, which outlives the call.
            unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut image).cast()) };
            image
        })
        .as_ref()
    }

    /// Where the executable's constant is, whatever address it was loaded at. None for what is no
    /// constant of it.
    pub(crate) fn offset_of<T>(&self, constant: &'static T) -> Option<u64> {
        let address = core::ptr::from_ref(constant).addr();
        let offset = address.checked_sub(self.base)? as u64;
        self.constant_at::<T>(offset).map(|_| offset)
    }

    /// The address of an offset, if all of a T's bytes there, aligned, are constant.
    pub(crate) fn constant_at<T>(&self, offset: u64) -> Option<*const T> {
        let start = self.base.checked_add(usize::try_from(offset).ok()?)?;
        let end = start.checked_add(size_of::<T>())?;
        let within = |range: &Range<usize>| range.start <= start && end <= range.end;
        let found = start.is_multiple_of(align_of::<T>()) && self.constant.iter().any(within);
        found.then(|| core::ptr::with_exposed_provenance(start))
    }
}

/// Takes the first object, which is the executable, and ends the iteration.
unsafe extern "C" fn look(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    found: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: the loader's own description, valid during the call.
    let info = unsafe { &*info };
    // SAFETY: so many program headers, as the loader says.
    let headers = unsafe { core::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let base = info.dlpi_addr as usize;
    let constant = headers.iter().filter(|header| {
        let readable = header.p_flags & (libc::PF_R | libc::PF_W) == libc::PF_R;
        header.p_type == libc::PT_GNU_RELRO || (header.p_type == libc::PT_LOAD && readable)
    });
    let range = |header: &libc::Elf64_Phdr| {
        let start = base.wrapping_add(header.p_vaddr as usize);
        start..start.saturating_add(header.p_memsz as usize)
    };
    let image = Image { base, constant: constant.map(range).collect() };
    // SAFETY: what `own` passed.
    unsafe { *found.cast::<Option<Image>>() = Some(image) };
    1
}

#[cfg(test)]
mod tests {
    use super::Image;

    static CONSTANT: [&u64; 2] = [&7, &8];
    static CHANGING: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

    #[test]
    fn constants_are_found_and_nothing_else() {
        let image = Image::own().unwrap();
        let offset = image.offset_of(&CONSTANT).unwrap();
        assert_eq!(image.constant_at(offset), Some(&raw const CONSTANT));
        assert_eq!(image.constant_at::<[&u64; 2]>(offset + 1), None, "not aligned");
        assert_eq!(image.offset_of(&CHANGING), None);
        let leaked: &'static u64 = Box::leak(Box::new(1));
        assert_eq!(image.offset_of(leaked), None);
        for wrong in [u64::MAX, u64::MAX - 7, 1 << 46, 1 << 62] {
            assert_eq!(image.constant_at::<u64>(wrong), None);
        }
    }
}
