//! The files in deploy/ against the program that they start: its commands, settings, ports, limits.

use std::path::Path;

use clap::Parser as _;

use crate::config::{Config, WRONG_SETTINGS};
use crate::{Cli, open_files};

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands behind `beginning` on the only line that begins so.
#[track_caller]
fn value<'t>(text: &'t str, beginning: &str) -> &'t str {
    let mut lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(beginning));
    let found = lines.next().unwrap_or_else(|| panic!("no line begins with '{beginning}'"));
    assert_eq!(lines.next(), None, "two lines begin with '{beginning}'");
    found.trim()
}

#[track_caller]
fn words(list: &str) -> Vec<String> {
    serde_json::from_str(list).unwrap_or_else(|error| panic!("{list}: {error}"))
}

/// The program takes these arguments.
#[track_caller]
fn is_a_command(arguments: &[String]) {
    let arguments = std::iter::once("rialto").chain(arguments.iter().map(String::as_str));
    if let Err(error) = Cli::try_parse_from(arguments) {
        panic!("{error}");
    }
}

fn container() -> Config {
    Config::parse(&file("container.toml")).unwrap()
}

#[test]
fn the_unit_starts_and_stops_this_program() {
    let unit = file("rialto.service");
    let start: Vec<String> = value(&unit, "ExecStart=").split(' ').map(str::to_owned).collect();
    assert_eq!(start[0], "/usr/local/bin/rialto");
    is_a_command(&start[1..]);
    assert_eq!(value(&unit, "ExecReload="), "/bin/kill -HUP $MAINPID");
    assert_eq!(value(&unit, "RestartPreventExitStatus="), WRONG_SETTINGS.to_string());
    let files: u64 = value(&unit, "LimitNOFILE=").parse().unwrap();
    assert!(files >= open_files::needed(Config::default().public.max_connections));
    assert_ne!(value(&unit, "User="), "root");
    assert_eq!(value(&unit, "WorkingDirectory="), format!("/var/lib/{}", value(&unit, "StateDirectory=")));
}

#[test]
fn the_image_starts_this_program_and_asks_how_it_is() {
    let (image, config) = (file("Containerfile"), container());
    assert_eq!(words(value(&image, "ENTRYPOINT ")), ["rialto"]);
    is_a_command(&words(value(&image, "CMD ")));
    let health = words(value(&image, "HEALTHCHECK ").split_once("CMD ").unwrap().1);
    assert_eq!(health[0], "rialto");
    is_a_command(&health[1..]);
    let settings = value(&image, "COPY deploy/container.toml ");
    for command in [words(value(&image, "CMD ")), health] {
        assert!(command.iter().any(|word| word == settings), "{command:?} reads {settings}");
    }
    assert_eq!(value(&image, "EXPOSE "), config.public.listen.port().to_string());
    assert_eq!(words(value(&image, "VOLUME ")), [config.data_dir.to_str().unwrap()]);
    assert_eq!(value(&image, "USER "), "rialto");
    assert!(config.public.listen.ip().is_unspecified() && config.admin.listen.ip().is_loopback());
}

#[test]
fn compose_starts_this_program_where_the_settings_expect_it() {
    let (compose, config) = (file("compose.yaml"), container());
    is_a_command(&words(value(&compose, "command: ")));
    let port = config.public.listen.port();
    assert_eq!(value(&compose, "- \"127.0.0.1:"), format!("{port}:{port}\""));
    assert_eq!(Path::new(value(&compose, "- data:")), config.data_dir);
    let network = value(&compose, "- subnet: ");
    assert!(config.limits.exempt.contains(&network.parse().unwrap()), "{network} is in limits.exempt");
    let files: u64 = value(&compose, "nofile: ").parse().unwrap();
    assert!(files >= open_files::needed(config.public.max_connections));
    let image = value(&compose, "dockerfile: ");
    assert_eq!(image, "deploy/Containerfile");
}

/// With a database and Redis beside it: the same listeners, who is where, and passwords that come from the environment.
#[test]
fn compose_with_databases_starts_this_program_and_names_who_is_there() {
    let (compose, alone) = (file("compose.databases.yaml"), container());
    // The tables are made by a command of this program.
    let command = compose.lines().find_map(|line| line.trim().strip_prefix("command: [\"sql\", ")).unwrap();
    is_a_command(&words(&format!("[\"sql\", {command}")));
    for database in ["postgres", "mariadb"] {
        let name = format!("container-{database}.toml");
        let config = Config::parse(&file(&name)).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(config.data_dir, alone.data_dir);
        assert_eq!((config.public.listen, config.admin.listen), (alone.public.listen, alone.admin.listen));
        assert_eq!(config.limits.exempt, alone.limits.exempt);
        let databases = config.sql();
        let [sql] = databases.as_slice() else { panic!("it names a database") };
        assert!(sql.url.contains(&format!("://rialto@{database}:")) && sql.engine().is_ok(), "{}", sql.url);
        assert!(
            compose.contains(&format!("\n  {database}:\n    profiles: [\"{database}\"]\n")),
            "{database}"
        );
        let redis = config.redis(None).expect("it names a Redis");
        assert!(redis.url.starts_with("redis://redis:") && redis.cache.is_some(), "{}", redis.url);
        assert_eq!(redis.streams.len(), 1);
        for variable in [&config.sql.password_env, &config.redis.password_env] {
            // Without one nothing starts, and none stands in a file.
            let set = compose.matches(&format!("{variable}: ${{{variable}:?")).count();
            assert_eq!(set, 2, "the exchange and the command that makes the tables are told {variable}");
        }
    }
    let mounted = "./container-${RIALTO_DATABASE:-postgres}.toml:/etc/rialto/rialto.toml:ro";
    assert_eq!(compose.matches(mounted).count(), 2, "{mounted}");
    assert_eq!(compose.matches("    healthcheck:\n      test: ").count(), 3, "each server tells how it is");
}
