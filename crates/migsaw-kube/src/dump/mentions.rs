//! Whether an object of a kind that is not read speaks of GPUs.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::names::is_gpu;

/// Whether a key of a GPU resource occurs, at any depth.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MentionsGpu(pub(super) bool);

impl<'de> Deserialize<'de> for MentionsGpu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MentionsGpu, D::Error> {
        deserializer.deserialize_any(MentionsGpuVisitor)
    }
}

struct MentionsGpuVisitor;

impl<'de> Visitor<'de> for MentionsGpuVisitor {
    type Value = MentionsGpu;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MentionsGpu, A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            let inside: MentionsGpu = map.next_value()?;
            found |= inside.0 || is_gpu(&key);
        }
        Ok(MentionsGpu(found))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<MentionsGpu, A::Error> {
        let mut found = false;
        while let Some(inside) = items.next_element::<MentionsGpu>()? {
            found |= inside.0;
        }
        Ok(MentionsGpu(found))
    }

    fn visit_unit<E: Error>(self) -> Result<MentionsGpu, E> {
        Ok(MentionsGpu(false))
    }

    fn visit_none<E: Error>(self) -> Result<MentionsGpu, E> {
        Ok(MentionsGpu(false))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<MentionsGpu, D::Error> {
        MentionsGpu::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<MentionsGpu, E> {
        Ok(MentionsGpu(false))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<MentionsGpu, E> {
        Ok(MentionsGpu(false))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<MentionsGpu, E> {
        Ok(MentionsGpu(false))
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<MentionsGpu, E> {
        Ok(MentionsGpu(false))
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<MentionsGpu, E> {
        Ok(MentionsGpu(false))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<MentionsGpu, E> {
        Ok(MentionsGpu(false))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<MentionsGpu, E> {
        Ok(MentionsGpu(false))
    }
}
