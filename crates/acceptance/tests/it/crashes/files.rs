//! The files of a data directory as bytes: where their frames are, and how to change them so that only what is meant to be
//! wrong is wrong. Written from the documented formats, without the code that reads them.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Where a frame lies in its file.
#[derive(Clone, Debug)]
pub struct Frame {
    pub bytes: Range<usize>,
    pub last_seq: u64,
}

/// CRC-32C, bit by bit.
pub fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0x82F6_3B78 * (sum & 1)))
    })
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn put_checksum(bytes: &mut [u8], at: usize, of: Range<usize>) {
    let sum = checksum(&bytes[of]);
    bytes[at..at + 4].copy_from_slice(&sum.to_le_bytes());
}

/// The frames of a journal segment.
pub fn journal_frames(path: &Path) -> Vec<Frame> {
    frames(&fs::read(path).expect("it is there"), 4_096, 56, *b"RFRM", |bytes, at| {
        u64_at(bytes, at + 16) + u32_at(bytes, at + 12) as u64 - 1
    })
}

/// The frames of an event log segment.
pub fn event_frames(path: &Path) -> Vec<Frame> {
    frames(&fs::read(path).expect("it is there"), 64, 96, *b"REVT", |bytes, at| u64_at(bytes, at + 24))
}

fn frames(
    bytes: &[u8],
    from: usize,
    header: usize,
    magic: [u8; 4],
    last_seq: impl Fn(&[u8], usize) -> u64,
) -> Vec<Frame> {
    let mut found = Vec::new();
    let mut at = from;
    while bytes.len() >= at + header && bytes[at..at + 4] == magic {
        let end = at + (header + u32_at(bytes, at + 8)).next_multiple_of(8);
        found.push(Frame { bytes: at..end, last_seq: last_seq(bytes, at) });
        at = end;
    }
    found
}

/// All files of a folder with this ending, by name.
pub fn listed(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found
}

/// The segments of the journal that have frames.
pub fn journal_segments(data: &Path) -> Vec<PathBuf> {
    let mut segments = listed(&data.join("journal"), ".seg");
    segments.retain(|segment| !journal_frames(segment).is_empty());
    segments
}

pub fn event_segments(data: &Path) -> Vec<PathBuf> {
    listed(&data.join("events"), ".seg")
}

pub fn snapshots(data: &Path) -> Vec<PathBuf> {
    listed(&data.join("snapshots"), ".snap")
}

/// How a file is called in messages.
pub fn relative(path: &Path) -> String {
    let part = |part: Option<&std::ffi::OsStr>| part.expect("a name").to_string_lossy().into_owned();
    format!("{}/{}", part(path.parent().and_then(Path::file_name)), part(path.file_name()))
}

/// Changes a file's bytes.
pub fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("it is there");
    change(&mut bytes);
    fs::write(path, bytes).expect("it can be written");
}

/// Gives a file's beginning, which all formats share, another version.
pub fn set_version(path: &Path, version: u32) {
    change(path, |bytes| {
        bytes[8..12].copy_from_slice(&version.to_le_bytes());
        put_checksum(bytes, 12, 0..12);
    });
}

/// Changes an event frame's contents so that its own checksums are right.
pub fn forge_event_frame(path: &Path, frame: &Frame, change_at: usize) {
    change(path, |bytes| {
        let frame = &mut bytes[frame.bytes.clone()];
        frame[change_at] ^= 1;
        let len = frame.len();
        put_checksum(frame, 84, 96..len);
        put_checksum(frame, 92, 0..92);
    });
}

/// Changes one section of a snapshot so that the file's own checksum is right.
pub fn forge_section(path: &Path, name: &str, forge: impl FnOnce(&mut [u8])) {
    change(path, |bytes| {
        let mut at = 96;
        let end = bytes.len() - 4;
        loop {
            assert!(at < end, "there is no section {name}");
            let name_at = at + 12;
            let bytes_at = name_at + u32_at(bytes, at);
            let section_end = bytes_at + usize::try_from(u64_at(bytes, at + 4)).expect("it fits");
            if &bytes[name_at..bytes_at] == name.as_bytes() {
                forge(&mut bytes[bytes_at..section_end]);
                break;
            }
            at = section_end;
        }
        put_checksum(bytes, end, 0..end);
    });
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Every file of a data directory but its lock, with the checksum of its contents.
pub fn fingerprint(data: &Path) -> BTreeMap<String, (usize, u32)> {
    let folders = ["journal", "events", "snapshots"].map(|folder| listed(&data.join(folder), ""));
    let file = |path: PathBuf| {
        let bytes = fs::read(&path).expect("it is there");
        (relative(&path), (bytes.len(), quick_sum(&bytes)))
    };
    folders.into_iter().flatten().map(file).collect()
}

/// Good enough to notice a change, and quick.
fn quick_sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum: u32, byte| sum.rotate_left(5) ^ u32::from(*byte).wrapping_mul(0x9E37_79B1))
}
