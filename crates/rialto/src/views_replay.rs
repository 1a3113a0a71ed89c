//! The views made from snapshot and journal: at a start, and on the side for the next snapshot.

use std::sync::Arc;

use anyhow::Context as _;
use codec::Reader;
use gateway_http::ReadModels;
use indicatif::ProgressBar;
use journal::{EventLogReader, Storage};
use model::{EventBatch, PartitionId, Seq};
use sequencer::{Companion, CompanionCopy, Replay, Sections};
use views::{ViewSettings, Views};

use crate::progress;

/// The views' section of a snapshot.
const VIEWS_SECTION: &str = "views";

/// Has the views in every snapshot.
pub struct ViewsInSnapshots {
    pub settings: ViewSettings,
    pub storage: Arc<dyn Storage>,
    pub read_models: Arc<ReadModels>,
    pub partition: PartitionId,
}

impl Companion for ViewsInSnapshots {
    fn copy(&self) -> Box<dyn CompanionCopy> {
        Box::new(ViewsReplay::showing(Show::Nothing, self.settings.clone(), &self.storage))
    }

    fn last(&self, seq: Seq) -> Sections {
        vec![(
            VIEWS_SECTION,
            self.read_models.of(self.partition).save_at_end(seq).expect("the views follow to the end"),
        )]
    }

    fn failed(&self, sentence: &str) {
        tracing::warn!("{sentence}");
    }
}

/// Whether the operator sees how far it is.
#[derive(Clone, Copy)]
enum Show {
    Progress,
    Nothing,
}

/// Rebuilds the views while the partition is recovered.
pub struct ViewsReplay {
    settings: ViewSettings,
    storage: Arc<dyn Storage>,
    views: anyhow::Result<Views>,
    show: Show,
    bar: Option<ProgressBar>,
}

impl ViewsReplay {
    /// For a start: with a bar that shows how far it is.
    pub fn new(settings: ViewSettings, storage: &Arc<dyn Storage>) -> Self {
        Self::showing(Show::Progress, settings, storage)
    }

    fn showing(show: Show, settings: ViewSettings, storage: &Arc<dyn Storage>) -> Self {
        let views = Ok(Views::new(settings.clone()));
        Self { settings, storage: Arc::clone(storage), views, show, bar: None }
    }

    /// The views as they are at the end.
    pub fn finish(self) -> anyhow::Result<Views> {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.views
    }

    /// From the first event on: for a snapshot that has no views, or views that this program cannot read.
    fn rebuild(&self, until: Seq) -> anyhow::Result<Views> {
        let mut views = Views::new(self.settings.clone());
        let mut reader = EventLogReader::open(&self.storage, Seq(1))?;
        while let Some(frame) = reader.next()? {
            if frame.last_seq > until {
                break;
            }
            views.apply(&sequencer::decode_batch(&frame)?);
        }
        Ok(views)
    }
}

impl Replay for ViewsReplay {
    fn snapshot(&mut self, seq: Seq, section: &dyn Fn(&str) -> Option<Vec<u8>>) {
        let saved = section(VIEWS_SECTION);
        let loaded =
            saved.and_then(|bytes| Views::load(self.settings.clone(), &mut Reader::new(&bytes)).ok());
        self.views = if let Some(views) = loaded {
            Ok(views)
        } else {
            tracing::warn!(
                "the snapshot at command {seq} has no usable views; they are made again from the event log"
            );
            self.rebuild(seq).context("the views cannot be made again from the event log")
        };
    }

    fn batch(&mut self, batch: &EventBatch) {
        if let Ok(views) = &mut self.views {
            views.apply(batch);
        }
    }

    fn progress(&mut self, done: u64, total: u64) {
        match self.show {
            Show::Progress => {}
            Show::Nothing => return,
        }
        let bar = self.bar.get_or_insert_with(|| progress::bar("Applying the journal", total, true));
        bar.set_position(done);
    }
}

impl CompanionCopy for ViewsReplay {
    fn sections(self: Box<Self>) -> Result<Sections, String> {
        let views = self.finish().map_err(|error| format!("{error:#}"))?;
        let mut bytes = Vec::new();
        views.save(&mut bytes);
        Ok(vec![(VIEWS_SECTION, bytes)])
    }
}
