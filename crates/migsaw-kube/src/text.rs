//! What all readers of text here have in common.

/// Line breaks in some bytes.
pub(crate) fn line_breaks(bytes: &[u8]) -> usize {
    bytes.split(|&byte| byte == b'\n').count() - 1
}
