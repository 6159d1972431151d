//! Events on the nodes, where people look first: `kubectl describe node`.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::MANAGER;
use super::record::StepRecord;
use super::trouble::Trouble;

/// Writes them. One that cannot be written is let go: the terminal says the same.
pub(super) struct Events(Recorder);

impl Events {
    pub(super) fn new(client: Client, by: &str) -> Events {
        // As long as the API server takes it.
        let instance: String = by.chars().take(128).collect();
        Events(Recorder::new(client, Reporter { controller: format!("{MANAGER}.io/apply"), instance: Some(instance) }))
    }

    pub(super) async fn cordoned(&self, step: &StepRecord, id: &str) {
        let what = if step.to.is_some() { "to be cut anew" } else { "for pods to move" };
        self.say(step, EventType::Normal, "MigsawCordoned", "Cordon", format!("cordoned {what}, rollout {id}")).await;
    }

    pub(super) async fn labelled(&self, step: &StepRecord, config: &str) {
        self.say(step, EventType::Normal, "MigsawLabelled", "Label", format!("MIG Manager was told: {config}")).await;
    }

    pub(super) async fn uncordoned(&self, step: &StepRecord, is_done: bool) {
        let note = if is_done { "done, uncordoned" } else { "let go, uncordoned" };
        self.say(step, EventType::Normal, "MigsawUncordoned", "Uncordon", note.to_owned()).await;
    }

    pub(super) async fn trouble(&self, step: &StepRecord, trouble: &Trouble) {
        let reason = format!("Migsaw{}", trouble.code());
        self.say(step, EventType::Warning, &reason, "Apply", trouble.to_string()).await;
    }

    async fn say(&self, step: &StepRecord, type_: EventType, reason: &str, action: &str, note: String) {
        let regarding = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(step.node.clone()),
            // kubectl asks for events of a node by its name in place of the uid, as kubelet writes them.
            uid: Some(step.node.clone()),
            ..ObjectReference::default()
        };
        let note = Some(note.chars().take(1000).collect());
        let event = Event { type_, reason: reason.to_owned(), note, action: action.to_owned(), secondary: None };
        let _ = self.0.publish(&event, &regarding).await;
    }
}
