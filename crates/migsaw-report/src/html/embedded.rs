//! Data within a page.

use std::io::{self, Write};

use serde::Serialize;

/// The document as JSON that cannot end the element it stands in; `None` if it has more than `most` bytes.
pub(super) fn json(document: &impl Serialize, most: usize) -> Option<String> {
    let mut text = Text { bytes: Vec::new(), most };
    serde_json::to_writer(&mut text, document).ok()?;
    String::from_utf8(text.bytes).ok()
}

/// Bytes up to a number, each that could begin an end tag as JSON's escape; such bytes are in strings only.
struct Text {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            match byte {
                b'&' => self.bytes.extend(br"\u0026"),
                b'<' => self.bytes.extend(br"\u003c"),
                b'>' => self.bytes.extend(br"\u003e"),
                byte => self.bytes.push(byte),
            }
        }
        if self.bytes.len() > self.most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes as RFC 4648 writes them.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let letter = (bits >> (18 - 6 * at) & 63) as usize;
            text.push(if at > three.len() { '=' } else { char::from(LETTERS[letter]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_the_standard_has_it() {
        for (text, written) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), written);
        }
    }

    #[test]
    fn a_document_ends_no_element_and_has_its_limit() {
        let text = json(&["</script>&"], 100).unwrap();
        assert_eq!(text, r#"["\u003c/script\u003e\u0026"]"#);
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), ["</script>&"]);
        assert!(json(&["</script>&"], text.len()).is_some() && json(&["</script>&"], text.len() - 1).is_none());
    }
}
