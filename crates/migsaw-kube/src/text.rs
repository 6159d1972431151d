//! What all readers of text here have in common.

use std::io::Read;

/// Line breaks in some bytes.
pub(crate) fn line_breaks(bytes: &[u8]) -> usize {
    bytes.split(|&byte| byte == b'\n').count() - 1
}

/// Whether some bytes begin like gzip.
pub(crate) fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Packs with gzip: the same bytes for the same text.
pub(crate) fn packed(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = flate2::read::GzEncoder::new(text, flate2::Compression::default());
    encoder.read_to_end(&mut packed).expect("reading from memory succeeds");
    packed
}

/// Why something cannot be unpacked.
pub(crate) enum Unpack {
    /// It is not packed as it seems to be.
    Gzip(String),
    /// It is larger than is read.
    TooLarge,
}

/// What is packed with gzip, up to so many bytes.
pub(crate) fn unpacked(bytes: &[u8], most: u64) -> Result<Vec<u8>, Unpack> {
    let mut text = Vec::new();
    let mut unpacked = flate2::read::MultiGzDecoder::new(bytes).take(most + 1);
    unpacked.read_to_end(&mut text).map_err(|error| Unpack::Gzip(error.to_string()))?;
    if text.len() as u64 > most { Err(Unpack::TooLarge) } else { Ok(text) }
}
