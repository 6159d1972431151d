//! Device filters: which boards a rule is about, by PCI id.

use std::fmt;

/// NVIDIA's PCI vendor id.
const NVIDIA: u16 = 0x10DE;

/// A device filter as it is written: `0xDDDDVVVV`, device before vendor, perhaps with the subsystem
/// behind a colon, `0xDDDDVVVV:0xSSSSVVVV`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceFilter(pub String);

/// The PCI ids of a board, or those a filter asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoardId {
    device: u16,
    /// Device and vendor of the subsystem; `None` for any, or for a board about which it is not known.
    subsystem: Option<u32>,
}

impl DeviceFilter {
    /// The PCI ids it asks for, or `None` if it is malformed. mig-parted takes a malformed filter without
    /// a word, and then it matches no GPU; nor does one for another vendor than NVIDIA.
    pub fn id(&self) -> Option<BoardId> {
        let mut parts = self.0.split(':');
        let (device, vendor) = halves(number(parts.next()?)?);
        let subsystem = parts.next().map(number);
        let is_whole = parts.next().is_none() && subsystem != Some(None);
        (vendor == NVIDIA && is_whole).then_some(BoardId { device, subsystem: subsystem.flatten() })
    }

    /// What a malformed filter may have been meant to be, else an example.
    pub(super) fn suggestion(&self) -> String {
        let text = self.0.trim();
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        let device = match u32::from_str_radix(digits, 16) {
            Ok(device) if digits.len() == 4 => u16::try_from(device).ok(),
            Ok(packed) if digits.len() == 8 => match halves(packed) {
                (device, NVIDIA) | (NVIDIA, device) => Some(device),
                _ => None,
            },
            _ => None,
        };
        match device {
            Some(device) => format!("expected {}", BoardId { device, subsystem: None }),
            None => "expected device and vendor like 0x233010DE".to_owned(),
        }
    }
}

impl BoardId {
    /// Whether a filter for these ids lets a board through. One without a subsystem lets all through; one
    /// with a subsystem only boards that are known to have it.
    pub fn admits(self, board: BoardId) -> bool {
        self.device == board.device && (self.subsystem.is_none() || self.subsystem == board.subsystem)
    }

    /// The same device, whatever its subsystem.
    #[must_use]
    pub fn any_subsystem(self) -> BoardId {
        BoardId { subsystem: None, ..self }
    }

    /// Whether it names a subsystem.
    pub fn has_subsystem(self) -> bool {
        self.subsystem.is_some()
    }
}

/// As a filter.
impl fmt::Display for BoardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04X}{NVIDIA:04X}", self.device)?;
        self.subsystem.map_or(Ok(()), |subsystem| write!(f, ":0x{subsystem:08X}"))
    }
}

/// A number of at most 32 bits as mig-parted reads it: hexadecimal behind `0x`, else decimal.
fn number(text: &str) -> Option<u32> {
    let digits = |text: &str, radix: u32| {
        let valid = !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
        if valid { u32::from_str_radix(text, radix).ok() } else { None }
    };
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hexadecimal) => digits(hexadecimal, 16),
        None => digits(text, 10).filter(|_| !text.starts_with('0')),
    }
}

/// The upper and the lower 16 bits.
fn halves(packed: u32) -> (u16, u16) {
    let [a, b, c, d] = packed.to_be_bytes();
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Option<BoardId> {
        DeviceFilter(text.to_owned()).id()
    }

    #[test]
    fn filters_are_read_as_mig_parted_reads_them() {
        for (text, read) in [
            ("0x233010DE", "0x233010DE"),
            ("0X233010de", "0x233010DE"),
            ("590352606", "0x233010DE"),
            ("0x233010DE:0x16C110DE", "0x233010DE:0x16C110DE"),
            ("0x233010DE:0x1", "0x233010DE:0x00000001"),
        ] {
            assert_eq!(id(text).map(|id| id.to_string()).as_deref(), Some(read), "{text}");
        }
        for text in
            ["", "H100", "0x2330", "233010DE", "0x233010DE:zz", "0x233010DE:0x1:0x2", "0x233010DE:", "0x1233010DE"]
        {
            assert_eq!(id(text), None, "{text}");
        }
    }

    #[test]
    fn malformed_filters_are_put_right_where_that_can_be_told() {
        for (text, suggestion) in [
            ("0x2330", "expected 0x233010DE"),
            ("2330", "expected 0x233010DE"),
            ("233010de", "expected 0x233010DE"),
            ("0x10DE2330", "expected 0x233010DE"),
            ("H100", "expected device and vendor like 0x233010DE"),
        ] {
            assert_eq!(DeviceFilter(text.to_owned()).suggestion(), suggestion);
        }
    }

    #[test]
    fn a_subsystem_lets_only_its_boards_through() {
        let (device, board) = (id("0x233010DE").unwrap(), id("0x233010DE:0x16C110DE").unwrap());
        let other = id("0x233010DE:0x16C210DE").unwrap();
        assert!(device.admits(device) && device.admits(board) && board.admits(board));
        assert!(!board.admits(device) && !board.admits(other) && !id("0x20B010DE").unwrap().admits(board));
        assert_eq!(board.any_subsystem(), device);
    }
}
