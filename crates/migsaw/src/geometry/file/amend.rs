//! A model that amends one of the catalogue.

use super::{FileModel, FileProfile, Forms};

impl FileModel {
    /// The model in full: as it is, or if it has no profiles, the known one of its id with what this one
    /// gives in its place. `None` if there is none to amend.
    pub(super) fn amended(&self, known: &Forms) -> Option<FileModel> {
        if self.profiles.is_some() {
            return Some(self.clone());
        }
        let base = known.model(&self.id)?;
        let text = |own: &str, base: &str| if own.is_empty() { base } else { own }.to_owned();
        Some(FileModel {
            id: base.id.clone(),
            architecture: text(&self.architecture, &base.architecture),
            layout: text(&self.layout, &base.layout),
            compute_slices: self.compute_slices.or(base.compute_slices),
            memory_slices: self.memory_slices.or(base.memory_slices),
            placement_units: self.placement_units.or(base.placement_units),
            memory_total_gb: self.memory_total_gb.or(base.memory_total_gb),
            _sibling: None,
            aliases: list(&self.aliases, &base.aliases),
            gpu_product_labels: list(&self.gpu_product_labels, &base.gpu_product_labels),
            pci_devices: list(&self.pci_devices, &base.pci_devices),
            profiles: base.profiles.clone(),
            engine_budget: self.engine_budget.clone().or_else(|| base.engine_budget.clone()),
            compute_instance_profiles: list(&self.compute_instance_profiles, &base.compute_instance_profiles),
            notes: list(&self.notes, &base.notes),
            legacy_profile_names: list(&self.legacy_profile_names, &base.legacy_profile_names),
            driver_variant_names: list(&self.driver_variant_names, &base.driver_variant_names),
            profile_name_mismatch: self.profile_name_mismatch.clone().or_else(|| base.profile_name_mismatch.clone()),
            disputed: list(&self.disputed, &base.disputed),
            _driver_variants: serde::de::IgnoredAny,
        })
    }

    pub(in crate::geometry) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn profiles(&self) -> &[FileProfile] {
        self.profiles.as_deref().unwrap_or_default()
    }
}

fn list<T: Clone>(own: &[T], base: &[T]) -> Vec<T> {
    if own.is_empty() { base } else { own }.to_vec()
}
