//! What the program says no to, and how: one clear line, an exit code other than 0, nothing made and nothing changed. And
//! what it puts up with: clients that send nonsense, and being stopped in the middle of things.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::crashes::base::{Base, Case};
use crate::crashes::custody::Operator;
use crate::crashes::files::snapshots;
use crate::crashes::world::{Habits, World, settings};
use crate::http::{Connection, PATIENCE};
use crate::program::{Program, rialto, run, serve, verify};
use crate::random::Random;

/// An empty folder, in which nothing is to be found afterwards but what was put there.
struct Place {
    folder: TempDir,
    data: PathBuf,
    config: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, config) = (folder.path().join("data"), folder.path().join("rialto.toml"));
        Self { folder, data, config }
    }

    fn set(&self, text: &str) {
        fs::write(&self.config, text).unwrap();
    }

    /// What the tests' settings file says.
    fn settings(&self) -> String {
        settings(&self.data, Habits::NO_SNAPSHOTS)
    }

    /// `rialto serve` refuses the settings, and has made nothing.
    #[track_caller]
    fn refuses(&self, text: &str, words: &[&str]) {
        self.set(text);
        let ended = Program::spawn(serve(&self.config)).listens().err().expect("it does not start");
        ended.refused(words);
        assert!(!self.data.exists(), "a refused start makes nothing");
    }

    fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = rialto(arguments);
        command.current_dir(self.folder.path());
        command
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path()).unwrap().count()
    }
}

/// Where a demo may listen: ports that the system chooses.
const FREE: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

fn demo(data: &Path) -> Command {
    let mut command = rialto(["demo"]);
    command.args(FREE).args(["--demo", "off", "--data"]).arg(data);
    command
}

#[test]
fn a_wrong_argument_is_told_in_one_line() {
    let place = Place::new();
    let cases: [(&[&str], &[&str]); 10] = [
        (&["sevre"], &["unrecognized subcommand 'sevre'", "'serve'"]),
        (&["serve", "--confg", "x"], &["unexpected argument '--confg'", "'--config'"]),
        (&["--listen", "localhost"], &["invalid value 'localhost' for '--listen", "invalid socket address"]),
        (&["--listen"], &["a value is required for '--listen"]),
        (&["demo", "--port", "80"], &["unexpected argument '--port'"]),
        (&["verify", "here"], &["unexpected argument 'here'"]),
        (&["journal", "skip", "--reason", "x"], &["<SEQ>"]),
        (&["journal", "skip", "-1", "--reason", "x"], &["-1"]),
        (&["init", "a", "b"], &["unexpected argument 'b'"]),
        (&["--data", "x", "serve"], &["--data"]),
    ];
    for (arguments, words) in cases {
        let mut command = place.command([]);
        command.args(arguments);
        let ended = run(command);
        ended.refused(words);
        ended.refused(&["rialto: ", "See rialto --help"]);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    }
    assert_eq!(place.files(), 0, "nothing was made");
    for asked in ["--help", "--version", "help"] {
        assert!(!run(place.command([asked])).well().stdout.is_empty());
    }
}

/// What stands there, what is put there, what the named line begins with and how many such lines come before it, and words
/// of the answer.
type Wrong<'w> = (&'w str, &'w str, (&'w str, usize), &'w [&'w str]);

#[test]
fn a_wrong_setting_is_told_with_its_line_and_what_would_be_right() {
    let place = Place::new();
    let good = place.settings();
    let cases: [Wrong; 11] = [
        (
            "segment_mib = 1\n",
            "segment_mbi = 1\n",
            ("segment_mbi", 0),
            &["unknown field `segment_mbi`", "`segment_mib`"],
        ),
        (
            "segment_mib = 1\n",
            "segment_mib = 0\n",
            ("segment_mib", 0),
            &["a whole number from 1 to 2048, not 0"],
        ),
        ("segment_mib = 1\n", "segment_mib = \"1\"\n", ("segment_mib", 0), &["string \"1\"", "expected"]),
        ("tick_ms = 1000", "tick_ms = 9", ("tick_ms", 0), &["a whole number from 10 to 3600000, not 9"]),
        ("[sequencer]", "[sequenzer]", ("[sequenzer]", 0), &["unknown field `sequenzer`", "`sequencer`"]),
        ("listen = \"127.0.0.1:0\"", "listen = \"here\"", ("listen", 0), &["invalid socket address"]),
        ("scale = 8", "scale = 19", ("scale", 0), &["a whole number from 0 to 18, not 19"]),
        (
            "tick_size = \"1.00000000\"",
            "tick_size = \"0.000001\"",
            ("[[market]]", 0),
            &["tick_size: tick x lot must be a whole"],
        ),
        (
            "quote = \"BTC\"",
            "quote = \"XBT\"",
            ("[[market]]", 1),
            &["quote = \"XBT\" is no asset", "[[asset]]"],
        ),
        ("lot_size = \"0.00100000\"", "lot_size = \"a lot\"", ("[[market]]", 0), &["lot_size: 'a lot'"]),
        ("name = \"ETH\"", "name = \"BTC\"", ("[[asset]]", 1), &["the asset BTC is listed twice"]),
    ];
    for (from, to, (mark, before), words) in cases {
        assert!(good.contains(from), "{from}");
        let text = good.replacen(from, to, 1);
        let mut lines = text.lines().zip(1..).filter(|(line, _)| line.starts_with(mark));
        let (_, number) = lines.nth(before).unwrap();
        place.refuses(&text, words);
        place.refuses(&text, &[&format!("rialto: {}: line {number}: ", place.config.display())]);
    }
    place.refuses("data_dir = \n", &["line 1: "]);
    place.refuses("\u{0}", &["line 1: "]);
    let one = "[public]\nlisten = \"127.0.0.1:9\"\n[admin]\nlisten = \"127.0.0.1:9\"";
    place.refuses(one, &["public.listen and admin.listen are both 127.0.0.1:9: choose two ports"]);
}

#[test]
fn a_settings_file_that_cannot_be_read_is_told() {
    let place = Place::new();
    let name = place.config.to_str().unwrap();
    run(place.command(["serve", "--config", name])).refused(&[
        "cannot read the settings file",
        name,
        "rialto init",
    ]);
    run(place.command(["serve"])).refused(&["cannot read the settings file rialto.toml"]);
    assert_eq!(place.files(), 0, "nothing was made");
    fs::create_dir(&place.config).unwrap();
    run(place.command(["serve", "--config", name])).refused(&["cannot read the settings file", name]);
    fs::remove_dir(&place.config).unwrap();
    fs::write(&place.config, [0xFF, 0xFE]).unwrap();
    run(place.command(["serve", "--config", name])).refused(&["cannot read the settings file", name]);
}

#[test]
fn init_writes_a_file_that_works_and_replaces_none() {
    let place = Place::new();
    run(place.command(["init"])).well();
    let text = fs::read_to_string(&place.config).unwrap();
    run(place.command(["init"])).refused(&["cannot write rialto.toml", "is not replaced"]);
    assert_eq!(fs::read_to_string(&place.config).unwrap(), text);
    run(place.command(["init", "missing/x.toml"])).refused(&["cannot write missing/x.toml"]);
    assert_eq!(place.files(), 1);

    place.set(&text.replace("127.0.0.1:8080", "127.0.0.1:0").replace("127.0.0.1:8081", "127.0.0.1:0"));
    for _ in 0..2 {
        let (program, _) = Program::spawn(place.command(["serve"])).listening();
        let ended = program.terminate().well();
        assert!(!ended.stdout.contains("secret"), "keys are the demo's");
    }
    assert!(place.folder.path().join("rialto-data/journal").is_dir());
}

#[test]
fn a_port_in_use_is_told_before_anything_is_made() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let free = "listen = \"127.0.0.1:0\"";
    let used = format!("listen = \"127.0.0.1:{port}\"");
    for (section, setting) in [("[public]", "public.listen"), ("[admin]", "admin.listen")] {
        let text = place.settings().replacen(&format!("{section}\n{free}"), &format!("{section}\n{used}"), 1);
        place.refuses(&text, &[setting, &format!("port {port} is in use"), "choose another port"]);
    }
    let mut command =
        rialto(["--listen", &format!("127.0.0.1:{port}"), "--admin-listen", "127.0.0.1:0", "--data"]);
    command.arg(&place.data);
    run(command).refused(&[&format!("port {port} is in use")]);
    assert!(!place.data.exists());
    // An address that this machine does not have.
    place.refuses(&place.settings().replacen(free, "listen = \"192.0.2.1:0\"", 1), &["192.0.2.1"]);
}

#[test]
fn the_demos_keys_are_for_this_machine_only() {
    let place = Place::new();
    for (public, admin) in [("0.0.0.0:0", "127.0.0.1:0"), ("127.0.0.1:0", "[::]:0")] {
        let mut command = rialto(["demo", "--listen", public, "--admin-listen", admin, "--data"]);
        command.arg(&place.data);
        run(command).refused(&["the demo listens on this machine only", "rialto serve"]);
        assert!(!place.data.exists());
    }
    let (program, addresses) = Program::spawn(demo(&place.data)).listening();
    let token = fs::read_to_string(place.data.join("admin.token")).unwrap();
    let mut operator = Operator::open(&addresses, token.trim()).unwrap();
    let keys = |operator: &mut Operator| -> Vec<String> {
        let of = |account: u64, operator: &mut Operator| operator.get(&format!("accounts/{account}/keys"));
        let lists = [of(1, operator), of(2, operator)];
        let keys = lists.iter().flat_map(|list| list.as_array().unwrap().iter());
        keys.map(|key| key["key"].as_str().unwrap().to_owned()).collect()
    };
    let shown = keys(&mut operator);
    assert_eq!(shown.len(), 2);
    program.terminate().well();

    // The same directory, by serve, for others to reach.
    let open = fs::read_to_string({
        run(place.command(["init"])).well();
        &place.config
    });
    let open = open.unwrap().replace("./rialto-data", place.data.to_str().unwrap());
    let open = open.replacen("127.0.0.1:8080", "0.0.0.0:0", 1).replacen("127.0.0.1:8081", "127.0.0.1:0", 1);
    place.set(&open);
    let ended = Program::spawn(serve(&place.config)).listens().err().expect("the keys are on");
    ended.refused(&["public.listen is 0.0.0.0:0", "while the demo's keys are on", "127.0.0.1", "revoke"]);

    // Until they are revoked.
    place.set(&open.replace("0.0.0.0:0", "127.0.0.1:0"));
    let (program, addresses) = Program::spawn(serve(&place.config)).listening();
    let mut operator = Operator::open(&addresses, token.trim()).unwrap();
    for key in shown {
        operator.ask("DELETE", &format!("keys/{key}"), "").unwrap().good();
    }
    program.kill();
    place.set(&open);
    let (program, _) = Program::spawn(serve(&place.config)).listening();
    program.terminate().well();
}

#[test]
fn a_master_key_that_does_not_fit_is_told() {
    let case = Case::of(Base::with_snapshots());
    let (file, token) = (case.data.join("master.key"), case.data.join("admin.token"));
    let name = file.to_str().unwrap();
    let good = fs::read_to_string(&file).unwrap();
    // Of the right form, and another one for certain.
    let wrong = good.replacen(&good[..1], if good.starts_with('0') { "1" } else { "0" }, 1);
    for (text, words) in [
        (wrong.as_str(), ["the master key does not open the secret of API key", "made with"]),
        ("not a key", [name, "must hold 64 hexadecimal digits"]),
        ("", [name, "must hold 64 hexadecimal digits"]),
    ] {
        fs::write(&file, text).unwrap();
        case.refuses(&words);
    }
    fs::write(&file, &good).unwrap();
    set_mode(&file, 0o644);
    case.refuses(&[name, "may be read by others", "chmod 600"]);
    fs::remove_file(&file).unwrap();
    case.refuses(&[name, "is missing", "put back the one"]);
    assert!(!file.exists(), "another one would be of no use");
    fs::write(&file, &good).unwrap();
    set_mode(&file, 0o600);

    let good = fs::read_to_string(&token).unwrap();
    for short in ["", "short\n"] {
        fs::write(&token, short).unwrap();
        case.refuses(&[token.to_str().unwrap(), "16 or more visible characters"]);
    }
    fs::write(&token, &good).unwrap();
    case.starts(&[]);
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn settings_that_differ_from_the_journal_are_a_warning() {
    let case = Case::of(Base::with_snapshots());
    let text = fs::read_to_string(&case.config).unwrap();
    let changed = text.replacen("[[market]]", "[[asset]]\nname = \"XRP\"\nscale = 6\n[[market]]", 1);
    let changed = changed.replacen("lot_size = \"0.00100000\"", "lot_size = \"0.00200000\"", 1);
    fs::write(&case.config, changed).unwrap();
    let (program, addresses) = case.start().listening();
    case.answers_as(&Base::with_snapshots().answers, &addresses);
    let ended = program.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "warning: the settings list the asset XRP, which the exchange does not have; the journal is right",
            "warning: the market BTCUSDT has other terms than in the settings; the journal is right",
        ]
    );
}

/// Ctrl-C and SIGTERM, at any moment, in the middle of everything, and with clients that hold on.
#[test]
fn it_stops_in_order_and_soon() {
    for (signal, answers) in [("INT", 100), ("TERM", 300)] {
        let (mut world, program, addresses) = World::new(&mut Random::new(23), 6, Habits::NO_SNAPSHOTS);
        let mut idle = Connection::open(&addresses.public).unwrap();
        let mut halves: Vec<Connection> =
            (0..20).map(|_| Connection::open(&addresses.public).unwrap()).collect();
        for half in &mut halves {
            half.send(b"POST /api/v3/order HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nsymbol=")
                .unwrap();
        }
        idle.send(b"GET /api/v3/time HTT").unwrap();
        let ended = world.load(&addresses, 10_000, |tally| {
            tally.wait_for(answers);
            program.signal(signal);
            program.wait()
        });
        let ended = ended.well();
        assert!(ended.took < Duration::from_secs(5), "{ended:?}");
        assert!(
            ended.stdout.contains("Stopping: ") && ended.stdout.contains("Stopped at command "),
            "{ended:?}"
        );
        let (program, addresses) = world.start().listening();
        assert_eq!(program.count_printed("Recovered"), 0, "there is a snapshot at the end");
        world.check(&addresses);
        program.terminate().well();
        verify(&world.data).well();
    }
}

/// Whoever waits for the line that says where it listens, and stops it at once, is heard.
#[test]
fn a_signal_right_after_the_start_is_heard() {
    let place = Place::new();
    place.set(&place.settings());
    for round in 0..20 {
        let (program, _) = Program::spawn(serve(&place.config)).listening();
        let ended = program.terminate().well();
        assert!(ended.stdout.contains("Stopped at command "), "round {round}: {ended:?}");
    }
}

/// Its terminal is gone, or whoever read its output.
#[test]
fn it_goes_on_when_nobody_reads_what_it_prints() {
    let place = Place::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    place.set(&place.settings().replacen("127.0.0.1:0", &free, 1));
    for _ in 0..2 {
        let mut command = serve(&place.config);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        let began = Instant::now();
        let mut connection = loop {
            assert!(child.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE, "it does not listen");
            match Connection::open(&free) {
                Ok(connection) => break connection,
                Err(_) => thread::yield_now(),
            }
        };
        connection.ask("GET", "/api/v3/time", "", "").unwrap().good();
        Command::new("kill").arg(child.id().to_string()).status().unwrap();
        assert!(child.wait().unwrap().success(), "it stops in order");
        assert_eq!(snapshots(&place.data).len(), 1, "with a snapshot");
    }
}

/// How a client harms itself; what it gets, when anything.
#[test]
fn clients_that_send_nonsense_harm_only_themselves() {
    let (mut world, program, addresses) = World::new(&mut Random::new(29), 4, Habits::NO_SNAPSHOTS);
    let things = 300;
    let acknowledged = world.load(&addresses, things, |tally| {
        let open = || Connection::open(&addresses.public).unwrap();
        // Begun and never ended; they stay until the end.
        let mut left: Vec<Connection> = Vec::new();
        for begun in [
            "",
            "G",
            "GET /api/v3/time HTTP/1.1\r\nhost",
            "POST /api/v3/order HTTP/1.1\r\ncontent-length: 9\r\n\r\nsym",
        ] {
            for _ in 0..25 {
                let mut connection = open();
                connection.send(begun.as_bytes()).unwrap();
                left.push(connection);
            }
        }
        for _ in 0..1_000 {
            drop(open());
        }
        let long = "a".repeat(200_000);
        let many = "h: x\r\n".repeat(1_000);
        let cases = [
            (format!("GET /api/v3/time HTTP/1.1\r\nx: {long}\r\n\r\n"), 431),
            (format!("GET /api/v3/time HTTP/1.1\r\n{many}\r\n"), 431),
            (long.clone(), 431),
            (format!("GET /{long} HTTP/1.1\r\n\r\n"), 431),
            ("\u{1}\u{2}\u{3}\r\n\r\n".to_owned(), 400),
            ("GET /api/v3/time HTTP/9.9\r\n\r\n".to_owned(), 400),
            ("POST /api/v3/order HTTP/1.1\r\ncontent-length: -5\r\n\r\n".to_owned(), 400),
            (format!("POST /api/v3/order HTTP/1.1\r\ncontent-length: 200000\r\n\r\n{long}"), 413),
        ];
        for (bytes, status) in &cases {
            let mut connection = open();
            // The other side may close before it has taken everything, and its answer may be lost with that.
            let taken = connection.send(bytes.as_bytes());
            match connection.answer() {
                Ok(answer) => assert_eq!(answer.status, *status, "{bytes:.60}: {answer:?}"),
                Err(error) => assert!(taken.is_err() || bytes.len() > 100_000, "{bytes:.60}: {error}"),
            }
            assert!(*status == 413 || connection.is_closed(), "{bytes:.60}");
        }
        // Many at once are answered in order.
        let mut connection = open();
        connection.send("GET /api/v3/ping HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100).as_bytes()).unwrap();
        for _ in 0..100 {
            connection.answer().unwrap().good();
        }
        tally.wait_for(u64::MAX);
        tally.acknowledged()
    });
    assert!(acknowledged >= 4 * things / 2, "the others trade on: {acknowledged}");
    world.check(&addresses);
    program.terminate().well();
}

/// With the limits set low.
#[test]
fn limits_of_connections_and_patience_are_kept() {
    let place = Place::new();
    let limits = "[public]\nmax_connections = 20\nbody_timeout_s = 1\nidle_timeout_s = 1\n";
    place.set(&place.settings().replacen("[public]\n", limits, 1));
    let (program, addresses) = Program::spawn(serve(&place.config)).listening();
    let mut open: Vec<Connection> = (0..20).map(|_| Connection::open(&addresses.public).unwrap()).collect();
    for connection in &mut open {
        connection.ask("GET", "/api/v3/ping", "", "").unwrap().good();
    }
    let mut one_more = Connection::open(&addresses.public).unwrap();
    assert_eq!(one_more.answer().unwrap().status, 503);
    assert!(one_more.is_closed());
    // The operator is not locked out.
    let token = fs::read_to_string(place.data.join("admin.token")).unwrap();
    Operator::open(&addresses, token.trim()).unwrap().get("status");
    // Who says nothing loses the place, and there is one again.
    assert!(open.iter_mut().all(Connection::is_closed));
    let mut connection = Connection::open(&addresses.public).unwrap();
    connection.send(b"POST /api/v3/order HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nsym").unwrap();
    assert_eq!(connection.answer().unwrap().status, 408);
    program.terminate().well();
}
