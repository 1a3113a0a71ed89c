//! The sequencer as a whole: what it answers, releases and keeps is what a plain partition makes of its journal, whatever
//! happens to the process, the disk, the clients or the commands in between.

mod clients;
mod contracts;
mod crashes;
mod failures;
mod flow;
mod history;
mod links;
mod live;
mod memory;
mod order;
mod partitions;
mod poisoned;
mod snapshots;
mod stopping;
mod story;

/// Planted panics say nothing; all others are printed as ever.
fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload_as_str().is_some_and(|text| text.contains("planted")) {
                print(info);
            }
        }));
    });
}
