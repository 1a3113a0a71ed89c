//! An operator's day at the command line: from an exchange with nothing of one's own to money that has come and gone, along the
//! next step that each command prints; and what is said when something is mistyped, unreachable or asked for twice.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use acceptance::lasting_addresses;
use serde_json::{Value, json};

use crate::crashes::world::{Habits, settings};
use crate::http::{Connection, Signer};
use crate::program::{Ended, Program, rialto, run, serve};

struct Desk<'d> {
    config: &'d Path,
}

impl Desk<'_> {
    fn command(&self, line: &str) -> Command {
        let mut command = rialto([]);
        command.args(line.split(' ')).arg("--config").arg(self.config);
        command.env_remove("RIALTO_ADMIN").env_remove("RIALTO_ADMIN_TOKEN");
        command
    }

    fn ended(&self, line: &str) -> Ended {
        run(self.command(line))
    }

    /// What it prints when it does what was asked for.
    #[track_caller]
    fn done(&self, line: &str) -> String {
        self.ended(line).well().stdout
    }

    #[track_caller]
    fn json(&self, line: &str) -> Value {
        let printed = self.done(&format!("{line} --json"));
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }

    #[track_caller]
    fn refused(&self, line: &str, words: &[&str]) {
        self.ended(line).refused(words);
    }
}

#[track_caller]
fn tells(printed: &str, words: &[&str]) {
    for word in words {
        assert!(printed.contains(word), "'{word}' is not said: {printed}");
    }
}

/// The command behind `Next: `, without its name.
#[track_caller]
fn next(printed: &str) -> &str {
    let line = printed.lines().find_map(|line| line.strip_prefix("Next: rialto "));
    let line = line.unwrap_or_else(|| panic!("no next command: {printed}"));
    line.split(" --config ").next().unwrap_or(line)
}

#[test]
fn an_operator_gets_by_with_the_program_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("rialto.toml"));
    // Commands find the exchange by its settings, so that the port has to be known before.
    let addresses = lasting_addresses();
    let text = settings(&data, Habits::NO_SNAPSHOTS);
    let text = text.replacen("127.0.0.1:0", &addresses[0], 1).replacen("127.0.0.1:0", &addresses[1], 1);
    fs::write(&config, text).unwrap();
    let desk = Desk { config: &config };

    let start = format!("rialto serve --config {}", config.display());
    desk.refused("account list", &["no exchange is running at", &addresses[1], &start]);
    desk.refused("status --quiet", &["no exchange is running at"]);
    let (program, addresses) = Program::spawn(serve(&config)).listening();
    assert_eq!(desk.done("status --quiet"), "");
    tells(&desk.done("status"), &["0 accounts", "It is ready."]);

    // Whoever starts it again by itself knows from the exit code when that is in vain.
    let wrong = folder.path().join("wrong.toml");
    fs::write(&wrong, "[public]\nlisten = 7\n").unwrap();
    let ended = run(serve(&wrong));
    ended.refused(&["wrong.toml: line 2"]);
    assert_eq!(ended.status.code(), Some(2));

    // Each step names the next one.
    let printed = desk.done("asset add EUR --scale 2");
    tells(&printed, &["EUR is listed, with 2 decimals"]);
    tells(next(&printed), &["market add BTCEUR --base BTC --quote EUR"]);
    let printed = desk.done(&next(&printed).replace("PRICE", "50000"));
    tells(&printed, &["BTCEUR is there, TRADING"]);
    assert_eq!(next(&printed), "account add NAME");
    let printed = desk.done("account add carol");
    tells(&printed, &["carol is open; its number is 1"]);
    let printed = desk.done(next(&printed));
    tells(&printed, &["secret ", "read,trade", "everywhere", "shown this once"]);
    assert_eq!(next(&printed), "deposit carol EUR 1000 --reference REFERENCE");
    let field = |name: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(name));
        line.expect("it is printed").trim().to_owned()
    };
    let signer = Signer::new(&field("key "), &field("secret "));

    let printed = desk.done("deposit carol EUR 1000 --reference bank-1");
    tells(&printed, &["1000.00 EUR were added to carol", "bank-1"]);
    desk.refused(
        "deposit carol EUR 1000 --reference bank-1",
        &["nothing was moved twice", "bank-1", "was used before"],
    );
    tells(&desk.done(next(&printed)), &["carol (account 1)", "EUR", "1000.00"]);

    // The key signs an order, whose money is held.
    let mut trader = Connection::open(&addresses.public).unwrap();
    let order = "symbol=BTCEUR&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=40000";
    trader.signed("POST", "/api/v3/order", &signer, order).unwrap().good();
    let shown = desk.json("account show 1");
    assert_eq!(shown["balances"], json!([{ "asset": "EUR", "free": "600.00", "held": "400.00" }]));

    // Money out: set aside, then gone; or back.
    let printed = desk.done("withdraw request carol EUR 250.50 --reference out-1");
    tells(&printed, &["Withdrawal 1: 250.50 EUR of carol", "rialto withdraw approve 1", "withdraw reject 1"]);
    desk.done("withdraw request 1 EUR 49.5 --reference out-2");
    tells(&desk.done("withdraw list"), &["250.50", "out-1", "49.50", "out-2"]);
    tells(&desk.done("withdraw approve 1"), &["250.50 EUR of account 1 have left the exchange"]);
    tells(&desk.done("withdraw reject 2"), &["49.50 EUR of account 1 are free again"]);
    desk.refused("withdraw approve 1", &["there is no open withdrawal 1"]);
    let sheet = desk.json("balance-sheet");
    let euro = sheet.as_array().unwrap().iter().find(|line| line["asset"] == "EUR").unwrap();
    assert_eq!(
        (&euro["deposited"], &euro["withdrawn"], &euro["free"], &euro["held"], &euro["adds_up"]),
        (&json!("1000.00"), &json!("250.50"), &json!("349.50"), &json!("400.00"), &json!(true))
    );

    // Markets and keys are changed.
    tells(&desk.done("market set BTCEUR --status HALT"), &["status = HALT"]);
    assert_ne!(trader.signed("POST", "/api/v3/order", &signer, order).unwrap().status, 200);
    tells(&desk.done("market list"), &["BTCEUR", "HALT"]);
    let changed = desk.json(&format!("key set {} --permissions read --allow-ip 192.0.2.0/24", signer.key));
    assert_eq!(
        (&changed["permissions"], &changed["ip_allow_list"]),
        (&json!(["read"]), &json!(["192.0.2.0/24"]))
    );
    tells(&desk.done("key list carol"), &[&signer.key, "192.0.2.0/24"]);
    tells(&desk.done("key change-master"), &["1 secrets were sealed anew", "back up the master key file"]);
    tells(&desk.done(&format!("key revoke {}", signer.key)), &["is revoked"]);
    assert_eq!(desk.json("key list carol"), json!([]));

    // What is mistyped.
    desk.refused("account show carl", &["there is no account 'carl'", "did you mean carol?"]);
    desk.refused("account show 7", &["there is no account 7"]);
    desk.refused("deposit carol EUX 1 --reference x", &["there is no asset 'EUX'", "did you mean EUR?"]);
    desk.refused("market set BTCEUT --status HALT", &["no market 'BTCEUT'", "did you mean BTCEUR"]);
    desk.refused("market set BTCEUR", &["nothing to change"]);
    desk.refused("market set BTCEUR --status OPEN", &["TRADING, CANCEL_ONLY or HALT"]);
    desk.refused("account add carol", &["the name is taken"]);
    desk.refused("deposit carol EUR 1", &["--reference"]);
    desk.refused("deposit carol EUR 1.005 --reference x", &["amount '1.005'"]);

    // A look at the machine, beside the running exchange and when somebody else has its port.
    let findings = desk.json("doctor");
    let named =
        |check: &str| findings.as_array().unwrap().iter().find(|finding| finding["check"] == check).unwrap();
    let running = format!("process {}", program.pid());
    tells(named("public port")["text"].as_str().unwrap(), &["the exchange runs", &running]);
    assert_eq!((&named("settings")["result"], &named("master key")["result"]), (&json!("ok"), &json!("ok")));
    let elsewhere = folder.path().join("elsewhere.toml");
    let text = fs::read_to_string(&config).unwrap().replace(data.to_str().unwrap(), "elsewhere-data");
    fs::write(&elsewhere, text).unwrap();
    let mut doctor = rialto(["doctor", "--config"]);
    doctor.arg(&elsewhere).current_dir(folder.path());
    let ended = run(doctor);
    ended.refused(&["problems: 2"]);
    tells(&ended.stdout, &["in use by another program", "set admin.listen to another port"]);

    // Another exchange's token, and no exchange at all.
    let wrong = folder.path().join("wrong.token");
    fs::write(&wrong, "not-the-token-of-this-exchange\n").unwrap();
    let given = format!("account list --token-file {}", wrong.display());
    desk.refused(&given, &["another token", "wrong.token"]);
    let mut elsewhere = rialto(["status", "--admin", &format!("http://{}", addresses.admin), "--quiet"]);
    elsewhere.env_remove("RIALTO_ADMIN_TOKEN").current_dir(folder.path());
    assert_eq!(run(elsewhere).well().stdout, "", "health needs no token");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = rialto(["status", "--admin", &format!("http://{nobody}")]);
    run(nobody).refused(&["no exchange is running at"]);
    program.terminate().well();
}

#[test]
fn commands_trust_the_certificate_of_the_settings_or_an_authority_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = |name: &str| {
        let to = folder.path().join(name);
        let mut make = rialto(["tls", "new", "--host", "localhost", "--out"]);
        make.arg(&to);
        run(make).well();
        to
    };
    let (ours, others) = (certificates("ours"), certificates("others"));
    let (data, config) = (folder.path().join("data"), folder.path().join("rialto.toml"));
    let addresses = lasting_addresses();
    let text = settings(&data, Habits::NO_SNAPSHOTS);
    let text = text.replacen("127.0.0.1:0", &addresses[0], 1).replacen("127.0.0.1:0", &addresses[1], 1);
    let with = |certificates: &Path| {
        let file = |name: &str| certificates.join(name).display().to_string();
        let (cert, key) = (file("server.pem"), file("server.key"));
        format!("{text}\n[admin.tls]\ncertificates = [{{ cert = \"{cert}\", key = \"{key}\" }}]\n")
    };
    fs::write(&config, with(&ours)).unwrap();
    let (program, addresses) = Program::spawn(serve(&config)).listening();
    let desk = Desk { config: &config };
    tells(&desk.done("account add operator-carol"), &["its number is 1"]);

    let port = addresses.admin.rsplit_once(':').unwrap().1;
    let by_name = |authority: &Path| {
        let mut command =
            rialto(["account", "list", "--admin", &format!("https://localhost:{port}"), "--ca"]);
        command.arg(authority.join("ca.pem")).arg("--token-file").arg(data.join("admin.token"));
        run(command)
    };
    tells(&by_name(&ours).well().stdout, &["operator-carol"]);
    by_name(&others).refused(&["no TLS connection with https://localhost"]);

    // Settings of an exchange with another certificate: whoever answers here is not it.
    let other = folder.path().join("other.toml");
    fs::write(&other, with(&others)).unwrap();
    Desk { config: &other }.refused("account list", &["another certificate than the settings name"]);
    program.terminate().well();
}

#[test]
fn a_command_without_an_answer_says_that_nobody_knows_and_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "a-token-of-the-operator").unwrap();
    // Takes what is asked, and ends before it answers, as an exchange that is killed at that moment.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("http://{}", listener.local_addr().unwrap());
    let exchange = thread::spawn(move || {
        for _ in 0..2 {
            let (mut asking, _) = listener.accept().unwrap();
            assert!(asking.read(&mut [0; 4_096]).unwrap() > 0);
        }
    });
    let ask = |line: &str| {
        let mut command = rialto([]);
        command.args(line.split(' ')).args(["--admin", &admin, "--token-file"]).arg(&token);
        run(command)
    };
    ask("deposit 1 EUR 1000 --reference bank-1").refused(&[
        "whether it was done is not known",
        "--reference bank-1",
        "moves nothing twice",
    ]);
    ask("account add carol").refused(&["whether it was done is not known", "rialto account list"]);
    exchange.join().unwrap();
}
