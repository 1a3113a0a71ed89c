//! Progress bars, on a terminal only.

use std::sync::LazyLock;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// One below the other, where several things go on at the same time.
static ALL: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A bar for `total` of `unit`; hidden where nobody looks.
pub fn bar(what: &'static str, total: u64, bytes: bool) -> ProgressBar {
    let bar = ALL.add(ProgressBar::new(total));
    let counts = if bytes { "{bytes}/{total_bytes}" } else { "{human_pos}/{human_len}" };
    let style = ProgressStyle::with_template(&format!("{{msg}} [{{bar:40}}] {counts} {{eta}}"));
    bar.set_style(style.expect("the template is right").progress_chars("=> "));
    bar.set_message(what);
    bar
}
