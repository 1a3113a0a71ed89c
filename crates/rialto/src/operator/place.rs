//! Where the exchange is that a command is meant for, and what opens its operator's API.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::config::{Config, Tls};

/// Apart from what a command itself takes.
const EXCHANGE: &str = "Which exchange, and how it is told";

/// Which exchange is meant. Without any of these: the one of ./rialto.toml if that is there, otherwise the demo.
#[derive(Args, Clone, Debug, Default)]
pub struct Server {
    /// The settings file of the exchange. Default: ./rialto.toml if it is there, otherwise the demo's ports and data.
    #[arg(long, global = true, help_heading = EXCHANGE, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The operator's API: http or https, host and port. Default: the variable `RIALTO_ADMIN`, or as the settings say.
    #[arg(long, global = true, help_heading = EXCHANGE, value_name = "URL")]
    pub admin: Option<String>,
    /// The operator's token. Default: the variable `RIALTO_ADMIN_TOKEN`, or the file of the settings.
    #[arg(long, global = true, help_heading = EXCHANGE, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The authority to trust when the operator's API speaks TLS. Default: the certificate that the settings name.
    #[arg(long, global = true, help_heading = EXCHANGE, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Print what the API answers, as JSON.
    #[arg(long, global = true, help_heading = EXCHANGE)]
    pub json: bool,
}

/// What the environment says of it.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `RIALTO_ADMIN`.
    pub admin: Option<String>,
    /// `RIALTO_ADMIN_TOKEN`.
    pub token: Option<String>,
    /// Whether ./rialto.toml is there.
    pub has_settings: bool,
}

impl Environment {
    pub fn current() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            admin: variable("RIALTO_ADMIN"),
            token: variable("RIALTO_ADMIN_TOKEN"),
            has_settings: Path::new(SETTINGS).is_file(),
        }
    }
}

const SETTINGS: &str = "rialto.toml";

/// The operator's API of one exchange.
#[derive(Clone, Debug)]
pub struct Place {
    pub scheme: Scheme,
    /// Name or address, without brackets.
    pub host: String,
    pub port: u16,
    pub token: Token,
    /// How the exchange there is started, for when it is not running.
    pub start: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https { trust: Trust },
}

/// What makes a certificate the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// That this authority has signed it, for the name that is asked for.
    Authority(PathBuf),
    /// That it is the one in this file.
    Certificate(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Is(String),
    InFile(PathBuf),
    /// Nobody has said; health is told without one.
    Missing,
}

impl Server {
    /// The options again, so that the next command is for the same exchange.
    pub fn flags(&self) -> String {
        let path = |name: &str, path: &Option<PathBuf>| {
            path.as_ref().map(|path| format!(" --{name} {}", path.display())).unwrap_or_default()
        };
        let admin = self.admin.as_ref().map(|url| format!(" --admin {url}")).unwrap_or_default();
        let files = [("config", &self.config), ("token-file", &self.token_file), ("ca", &self.ca)];
        files.into_iter().fold(admin, |flags, (name, file)| flags + &path(name, file))
    }

    /// The exchange that is meant. What stands on the command line goes before the environment, that before the settings.
    pub fn place(&self, environment: &Environment) -> anyhow::Result<Place> {
        let token = match (&self.token_file, &environment.token) {
            (Some(file), _) => Some(Token::InFile(file.clone())),
            (None, Some(token)) => Some(Token::Is(token.clone())),
            (None, None) => None,
        };
        let url = self.admin.as_ref();
        let url = url.or_else(|| environment.admin.as_ref().filter(|_| self.config.is_none()));
        let settings = self.settings(environment)?;
        let Some(url) = url else {
            let Settings { config, start } = settings;
            let place = Place::of_settings(&config, start, self.ca.as_ref())?;
            return Ok(Place { token: token.unwrap_or(place.token), ..place });
        };
        // The token of other settings would only be the wrong one.
        let token = match (token, &self.config) {
            (Some(token), _) => token,
            (None, Some(_)) => Token::InFile(settings.config.beside_data(&settings.config.admin.token_file)),
            (None, None) => Token::Missing,
        };
        Place::of_url(url, token, self.ca.as_ref())
    }

    fn settings(&self, environment: &Environment) -> anyhow::Result<Settings> {
        let file = match &self.config {
            Some(file) => Some(file.clone()),
            None if self.admin.is_none() && environment.admin.is_none() && environment.has_settings => {
                Some(PathBuf::from(SETTINGS))
            }
            None => None,
        };
        Ok(match file {
            Some(file) => Settings {
                config: Config::read(&file)?,
                start: format!("rialto serve --config {}", file.display()),
            },
            None => Settings { config: Config::default(), start: "rialto demo".to_owned() },
        })
    }
}

struct Settings {
    config: Config,
    start: String,
}

impl Place {
    fn of_settings(config: &Config, start: String, ca: Option<&PathBuf>) -> anyhow::Result<Self> {
        let address = reachable(config.admin.listen);
        if address.port() == 0 {
            bail!(
                "admin.listen is {}, a port that the system chooses anew at every start: name it with --admin http://{}:PORT",
                config.admin.listen,
                address.ip()
            );
        }
        let own = config.admin.tls.as_ref().and_then(|Tls { certificates }| certificates.first());
        let scheme = match (&config.admin.tls, ca, own) {
            (None, ..) => Scheme::Http,
            (Some(_), Some(ca), _) => Scheme::Https { trust: Trust::Authority(ca.clone()) },
            (Some(_), None, Some(own)) => Scheme::Https { trust: Trust::Certificate(own.cert.clone()) },
            (Some(_), None, None) => bail!("admin.tls has no certificate"),
        };
        let token = Token::InFile(config.beside_data(&config.admin.token_file));
        Ok(Self { scheme, host: address.ip().to_string(), port: address.port(), token, start })
    }

    fn of_url(url: &str, token: Token, ca: Option<&PathBuf>) -> anyhow::Result<Self> {
        let wrong =
            || format!("the operator's API is given as http://HOST:PORT or https://HOST:PORT, not '{url}'");
        let (scheme, rest) = url.split_once("://").with_context(wrong)?;
        let (scheme, usual) = match (scheme, ca) {
            ("http", _) => (Scheme::Http, 80),
            ("https", Some(ca)) => (Scheme::Https { trust: Trust::Authority(ca.clone()) }, 443),
            ("https", None) => bail!("{url} needs --ca FILE: the certificate of the authority to trust"),
            _ => bail!(wrong()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().with_context(wrong)?),
            _ => (rest, usual),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_plain) || (host.contains(':') && bare.is_none()) {
            bail!(wrong());
        }
        let start = "rialto serve, where it lives".to_owned();
        Ok(Self { scheme, host: host.to_owned(), port, token, start })
    }

    /// `host:port`, with brackets where there have to be some.
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// As people write it.
    pub fn url(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https { .. } => "https",
        };
        format!("{scheme}://{}", self.authority())
    }
}

/// Where a listener is reached from its own machine.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

impl Token {
    /// The text of it.
    pub fn read(&self) -> anyhow::Result<String> {
        match self {
            Self::Missing => {
                bail!("the operator's token is needed: --token-file FILE, or the variable RIALTO_ADMIN_TOKEN")
            }
            Self::Is(token) => Ok(token.trim().to_owned()),
            Self::InFile(file) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read the operator's token from {}", file.display()))?;
                Ok(text.trim().to_owned())
            }
        }
    }

    /// Where it comes from.
    pub fn origin(&self) -> String {
        match self {
            Self::Missing => "no place".to_owned(),
            Self::Is(_) => "the variable RIALTO_ADMIN_TOKEN".to_owned(),
            Self::InFile(file) => file.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(url: &str) -> Result<String, String> {
        let server =
            Server { admin: Some(url.to_owned()), token_file: Some("t".into()), ..Server::default() };
        server.place(&Environment::default()).map(|place| place.url()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_is_taken_apart_or_refused() {
        assert_eq!(url("http://127.0.0.1:8081").as_deref(), Ok("http://127.0.0.1:8081"));
        assert_eq!(url("http://exchange.example/").as_deref(), Ok("http://exchange.example:80"));
        assert_eq!(url("http://[::1]:81").as_deref(), Ok("http://[::1]:81"));
        for wrong in ["127.0.0.1:8081", "http://", "http://a:x", "ftp://a:1", "http://::1", "http://a b:1"] {
            assert!(url(wrong).unwrap_err().contains("http://HOST:PORT"), "{wrong}");
        }
        assert!(url("https://a:1").unwrap_err().contains("--ca FILE"));
    }

    #[test]
    fn the_command_line_goes_before_the_environment_and_that_before_the_demo() {
        let demo = Server::default().place(&Environment::default()).unwrap();
        assert_eq!(demo.url(), "http://127.0.0.1:8081");
        assert_eq!(demo.token, Token::InFile("./rialto-data/admin.token".into()));
        let environment = Environment {
            admin: Some("http://a:1".into()),
            token: Some("secret".into()),
            has_settings: true,
        };
        let place = Server::default().place(&environment).unwrap();
        assert_eq!((place.url(), place.token), ("http://a:1".to_owned(), Token::Is("secret".into())));
        let server =
            Server { admin: Some("http://b:2".into()), token_file: Some("file".into()), ..Server::default() };
        let place = server.place(&environment).unwrap();
        assert_eq!((place.url(), place.token), ("http://b:2".to_owned(), Token::InFile("file".into())));
        assert_eq!(server.flags(), " --admin http://b:2 --token-file file");
    }

    #[test]
    fn an_address_for_everybody_is_reached_on_this_machine() {
        assert_eq!(reachable("0.0.0.0:81".parse().unwrap()), "127.0.0.1:81".parse().unwrap());
        assert_eq!(reachable("[::]:81".parse().unwrap()), "[::1]:81".parse().unwrap());
        assert_eq!(reachable("10.0.0.1:81".parse().unwrap()), "10.0.0.1:81".parse().unwrap());
    }
}
