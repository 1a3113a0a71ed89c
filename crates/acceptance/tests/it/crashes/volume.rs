//! A small file system of its own, in a mount namespace of its own, which is gone with this process: to be filled to the
//! brim, and to be made read-only.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub struct Volume {
    /// Holds the namespace for as long as its standard input is open.
    holder: Child,
    mounted_on: TempDir,
    /// How to get into its namespaces.
    enter: &'static [&'static str],
}

impl Volume {
    /// `None` where this user may not mount anything, with a line that says so.
    pub fn new(options: &str) -> Option<Self> {
        let ways: [(&str, &[&str]); 2] = [("-m", &["-m"]), ("-rm", &["--preserve-credentials", "-U", "-m"])];
        let volume = ways.into_iter().find_map(|(flags, enter)| Self::with(flags, enter, options));
        if volume.is_none() {
            println!("this user may not mount a file system: that part is left out here");
        }
        volume
    }

    fn with(flags: &str, enter: &'static [&'static str], options: &str) -> Option<Self> {
        let mounted_on = tempfile::tempdir().expect("a folder");
        let mut holder = Command::new("unshare")
            .args([flags, "--propagation", "private", "sh", "-c"])
            .arg("mount -t tmpfs -o \"$1\" tmpfs \"$2\" && echo mounted && exec cat")
            .args(["sh", options])
            .arg(mounted_on.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line).ok()?;
        let volume = Self { holder, mounted_on, enter };
        (line == "mounted\n").then_some(volume)
    }

    /// Where everybody finds it, through its holder's eyes.
    pub fn path(&self) -> PathBuf {
        let inside = self.mounted_on.path().strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside)
    }

    /// Mounts it with other options.
    pub fn remount(&self, options: &str) {
        let status = Command::new("nsenter")
            .args(self.enter)
            .args(["-t", &self.holder.id().to_string()])
            .args(["mount", "-o", &format!("remount,{options}")])
            .arg(self.mounted_on.path())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "remount,{options}");
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        // It ends with its input; nothing more can be done about one that does not.
        let _ = self.holder.wait();
    }
}
