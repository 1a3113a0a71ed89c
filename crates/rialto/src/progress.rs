//! Progress bars, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for `total` of `unit`; hidden where nobody looks.
pub fn bar(what: &'static str, total: u64, bytes: bool) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let counts = if bytes { "{bytes}/{total_bytes}" } else { "{human_pos}/{human_len}" };
    let style = ProgressStyle::with_template(&format!("{{msg}} [{{bar:40}}] {counts} {{eta}}"));
    bar.set_style(style.expect("the template is right").progress_chars("=> "));
    bar.set_message(what);
    bar
}
