//! CEL selectors that can be understood without evaluating them.
//!
//! A selector may be any expression. Read are those joined by `&&` of comparisons of one attribute of the driver, or
//! of the driver's name, with a text; that is how the driver's documentation asks for a profile.

use super::DRIVER;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// The device is of NVIDIA's driver.
    Driver,
    /// An attribute of the driver has this value.
    Attribute { name: String, value: String },
}

/// The comparisons that must all hold; `None` if the expression is anything else.
pub(super) fn conditions(expression: &str) -> Option<Vec<Condition>> {
    expression.split("&&").map(condition).collect()
}

fn condition(text: &str) -> Option<Condition> {
    let mut text = text.trim();
    while let Some(inside) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        text = inside.trim();
    }
    let (left, right) = text.split_once("==")?;
    let (what, value) = match (literal(left), literal(right)) {
        (None, Some(value)) => (left, value),
        (Some(value), None) => (right, value),
        _ => return None,
    };
    let what = what.trim();
    if what == "device.driver" {
        return (value == DRIVER).then_some(Condition::Driver);
    }
    let (domain, rest) = what.strip_prefix("device.attributes[")?.split_once(']')?;
    let name = rest.trim_start().strip_prefix('.')?.trim();
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let attribute = || Condition::Attribute { name: name.to_owned(), value: value.to_owned() };
    (literal(domain)? == DRIVER && is_name).then(attribute)
}

/// A text in quotes without any quote or escape inside.
fn literal(text: &str) -> Option<&str> {
    let text = text.trim();
    let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('\'').or_else(|| inside('"')).filter(|inside| !inside.contains(['\'', '"', '\\']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_comparisons_are_understood() {
        let check = |expression: &str, expected: Option<&str>| {
            let shown = conditions(expression).map(|conditions| {
                let shown = conditions.iter().map(|condition| match condition {
                    Condition::Driver => "driver".to_owned(),
                    Condition::Attribute { name, value } => format!("{name}={value}"),
                });
                shown.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(shown.as_deref(), expected, "{expression}");
        };
        let profile = "device.attributes['gpu.nvidia.com'].profile";
        check(&format!("{profile} == '1g.10gb'"), Some("profile=1g.10gb"));
        check(&format!("\n  '1g.10gb'=={}\n", profile.replace('\'', "\"")), Some("profile=1g.10gb"));
        check(
            &format!("device.driver == 'gpu.nvidia.com' && ({profile} == \"1g.10gb+me\")"),
            Some("driver profile=1g.10gb+me"),
        );
        check("device.attributes['gpu.nvidia.com'].type == 'mig'", Some("type=mig"));
        for other in [
            "",
            "true",
            "device.driver == 'other'",
            &format!("{profile} != '1g.10gb'"),
            &format!("{profile} == '1g.10gb' || {profile} == '2g.20gb'"),
            &format!("!({profile} == '1g.10gb')"),
            &format!("{profile} == {profile}"),
            &format!("{profile}.lowerAscii() == '1g.10gb'"),
            &format!("({profile} == '1g.10gb'"),
            &format!("{profile} == 'a' == 'b'"),
            &format!("{profile}.startsWith('1g')"),
            "device.attributes['other'].profile == '1g.10gb'",
            "device.capacity['gpu.nvidia.com'].memory == '1'",
            "device.attributes[domain].profile == '1g.10gb'",
        ] {
            check(other, None);
        }
    }
}
