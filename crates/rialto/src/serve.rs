//! An exchange from start to stop: recover, list, listen, stop in order.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, anyhow, bail};
use gateway_http::{
    Admin, AdminToken, Gateway, GatewaySettings, KeyStore, MasterKey, Port, ReadModels, StoredKey, Tls,
    write_secret,
};
use journal::{DataDir, Storage};
use model::{Command, MarketTerms, PartitionId, Seq};
use sequencer::{Egress, Ingress, Lane, Recovered, Sequencer};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use views::{Catalog, ViewSettings, Views};

use crate::config::{Config, is_loopback};
use crate::partitions::Wanted;
use crate::redis::Redis;
use crate::sql::Writers;
use crate::terminal::say;
use crate::views_replay::{ViewsInSnapshots, ViewsReplay};
use crate::{certificates, demo, log, open_files, partitions, setup};

/// Runs until somebody stops it, as the demo if there are options for one.
pub fn start(config: &Config, demo: Option<&demo::Options>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the gateway's threads")?;
    // Apart from the gateway's: what all subscribers are told at once must not delay anybody's order.
    let streams = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.sockets.stream_threads)
        .thread_name("streams-io")
        .enable_all()
        .build()
        .context("cannot start the threads of the streams")?;
    log::start(config.log);
    // Listeners first: a port in use is told before anything is recovered or made.
    let public = runtime.block_on(bind(config.public.listen, "public.listen"))?;
    let admin = runtime.block_on(bind(config.admin.listen, "admin.listen"))?;
    let public_tls = certificates::open(config.public.tls.as_ref(), "public.tls")?;
    let admin_tls = certificates::open(config.admin.tls.as_ref(), "admin.tls")?;
    let max_connections = open_files::raise(config.public.max_connections);

    let mut directory = DataDir::open(&config.data_dir)?;
    // The demo takes as many partitions as it began with, unless it is told.
    let wanted = match demo {
        None => Wanted::Settings(config.partitions.count),
        Some(options) => options.partitions.map_or(Wanted::Any, Wanted::Option),
    };
    partitions::found(&mut directory, &config.journal(), config.partitions.count)?;
    // Nobody outside may know which names fall into one place of the views' indexes.
    let hash_seed = RandomState::new().hash_one(std::process::id());
    let view_settings = ViewSettings { hash_seed, ..config.views() };
    let (mut recovered, mut followed, mut egress) = (Vec::new(), Vec::new(), Vec::new());
    for (partition, views) in recover(directory.storages(), config, &view_settings)? {
        recovered.push(partition);
        egress.push(Egress::default());
        followed.push((views, egress[egress.len() - 1].subscribe()));
    }
    for warning in recovered.iter().flat_map(Recovered::warnings) {
        tracing::warn!("{warning}");
    }
    partitions::check(&recovered, wanted, &config.data_dir)?;
    // What is listed and who there is, the first partition knows.
    let views = &followed[0].0;
    refuse_open_demo(config, views)?;

    let seq = recovered[0].partition().seq();
    let is_new = partitions::is_new(recovered[0].partition());
    // The demo has no settings file that somebody could have changed.
    if !is_new && demo.is_none() {
        for difference in setup::differences(config, views.catalog())? {
            tracing::warn!("{difference}; the journal is right");
        }
    }
    let listed = if is_new { setup::homes(config)? } else { homes(views.catalog()) };
    partitions::check_open_markets(&config.public.open_markets, &listed)?;
    // The demo has no settings file that somebody could have changed.
    if demo.is_none() {
        for difference in partitions::differences(config, &listed) {
            tracing::warn!("{difference}");
        }
    }
    let master_file = config.beside_data(&config.keys.master_key_file);
    let stored = stored_keys(&recovered[0]);
    let master = master_key(&master_file, is_new)?;
    let standing = demo.map(|_| demo::Standing::of(&master, &stored, views.catalog(), seq)).transpose()?;
    let keys = Arc::new(KeyStore::open(master, stored)?);
    let token = admin_token(&config.beside_data(&config.admin.token_file))?;

    let read_models = ReadModels::start(followed).context("cannot start the views' threads")?;
    let mut first = if is_new { setup::listing(config)? } else { Vec::new() };
    let mut demo = match (demo, standing) {
        (Some(options), Some(standing)) => Some(standing.prepare(options, config, &keys, is_new)?),
        _ => None,
    };
    let issued = demo.as_mut().map_or_else(Vec::new, |demo| demo.hand_in(&mut first));
    if is_new {
        setup::list_contracts(config, &mut first)?;
        if demo.is_some() {
            demo::Demo::insure(&mut first)?;
        }
    }
    if let Some(demo) = &mut demo {
        demo.prepare_contracts(&mut first);
    }
    let mut settings = config.sequencer();
    // For as long as this first run lasts: the first commands are one batch, whatever the settings say of later ones.
    settings.ingress_limit = settings.ingress_limit.max(first.len());
    settings.batch_max_commands = settings.batch_max_commands.max(first.len());
    let replayed: u64 = recovered.iter().map(Recovered::replayed).sum();
    let storages = (0..).map(PartitionId).zip(directory.storages());
    let lane = |(((partition, storage), recovered), egress): (((_, &Arc<dyn Storage>), _), &Egress)| {
        let snapshots = ViewsInSnapshots {
            settings: view_settings.clone(),
            storage: Arc::clone(storage),
            read_models: Arc::clone(&read_models),
            partition,
        };
        Lane { recovered, egress: egress.clone(), companion: Some(Arc::new(snapshots)) }
    };
    let lanes = storages.zip(recovered).zip(&egress).map(lane).collect();
    let sequencer = Sequencer::start(lanes, settings)?;
    setup::execute_all(sequencer.ingress(), first).context("the exchange cannot be set up")?;
    issued.iter().try_for_each(|key| keys.insert(key))?;
    finish_change_of_master_key(&keys, sequencer.ingress())?;
    // So that the first to come finds what was listed. Requests of one connection that wait for it may overtake each other.
    for (partition, egress) in (0..).map(PartitionId).zip(&egress) {
        let known = read_models.of(partition).applied(egress.released_seq());
        runtime.block_on(known).map_err(|_| anyhow!("the views have stopped"))?;
    }
    // A founding is applied again at once, which is nobody's concern.
    if replayed > 0 && !is_new {
        say!("Recovered: {replayed} commands were applied again behind the last snapshot.");
    }

    let redis = Redis::start(config, directory.storages(), sequencer.ingress(), &egress, &read_models)?;
    let writers = Writers::start(config, directory.storages(), &egress)?;
    if egress.len() > 1 {
        say!("{} partitions: {}.", egress.len(), partitions::layout(egress.len(), &listed));
    }
    let gateway = Gateway::new(
        GatewaySettings { max_connections, ..config.gateway() },
        sequencer.ingress().clone(),
        egress,
        read_models,
        Arc::clone(&keys),
        streams.handle().clone(),
    );
    if let Some(shown) = redis.shown() {
        gateway.show_redis(shown);
    }
    if let Some(shown) = writers.shown() {
        gateway.show_sql_writers(shown);
    }
    if let Some(past) = crate::sql::past(config) {
        gateway.remember(past);
    }
    let addresses = (public.local_addr()?, admin.local_addr()?);
    // Before anybody is told that it runs, so that whoever stops it then is heard. Until here a signal ends the program as it
    // stands, and nothing is lost by that: nothing of anybody's has been taken.
    let signals =
        runtime.block_on(async { Signals::of(demo.as_ref()) }).context("cannot listen to signals")?;
    if demo.is_none() {
        let tls = [&public_tls, &admin_tls].into_iter().flatten().map(Arc::clone).collect();
        runtime.spawn(certificates::keep_fresh(tls));
    }
    let show = demo.and_then(|demo| demo.open(addresses.0));
    let scheme = |tls: &Option<_>| if tls.is_some() { "https" } else { "http" };
    say!(
        "Rialto listens on {}://{} (operator: {}://{}). Ctrl-C stops it.",
        scheme(&public_tls),
        addresses.0,
        scheme(&admin_tls),
        addresses.1
    );
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        public = %addresses.0,
        admin = %addresses.1,
        data = %config.data_dir.display(),
        seq = seq.0,
        replayed,
        "started"
    );
    let ports = (port(public, public_tls), port(admin, admin_tls));
    let ended = runtime.block_on(run(sequencer, redis, gateway, token, ports, signals, show));
    // The event log has its end now, and the database shall have it too.
    writers.stop();
    say!("Stopped at command {}.", ended?);
    Ok(())
}

/// Recovers all partitions at the same time, each with its views; the error is that of the first one that has one.
pub fn recover(
    storages: &[Arc<dyn Storage>],
    config: &Config,
    view_settings: &ViewSettings,
) -> anyhow::Result<Vec<(Recovered, Views)>> {
    let journal = config.journal();
    let recover = |storage: &Arc<dyn Storage>| -> anyhow::Result<_> {
        let mut views = ViewsReplay::new(view_settings.clone(), storage);
        let recovered = sequencer::recover(storage, &journal, &mut views)?;
        Ok((recovered, views.finish()?))
    };
    if let [only] = storages {
        return Ok(vec![recover(only)?]);
    }
    let recover = &|(partition, storage): (PartitionId, &Arc<dyn Storage>)| {
        recover(storage).with_context(|| format!("partition {partition}"))
    };
    thread::scope(|scope| {
        let numbered = (0..).map(PartitionId).zip(storages);
        let threads: Vec<_> = numbered.map(|numbered| scope.spawn(move || recover(numbered))).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.collect()
    })
}

/// Serves until a signal comes or the sequencer ends; then stops in the order in which nothing is lost. Returns the last command.
async fn run(
    sequencer: Sequencer,
    mut redis: Redis,
    gateway: Arc<Gateway>,
    token: AdminToken,
    (public, admin): (Port, Port),
    mut signals: Signals,
    show: Option<demo::Show>,
) -> anyhow::Result<Seq> {
    let (stop, stopping) = watch::channel(false);
    let stopped = |mut stopping: watch::Receiver<bool>| async move {
        // A sender that is gone stops as well.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    let traders = tokio::spawn(gateway_http::serve(public, Arc::clone(&gateway), stopped(stopping.clone())));
    let operator =
        tokio::spawn(gateway_http::serve_admin(admin, Admin::new(gateway, token), stopped(stopping.clone())));
    if let Some(show) = show {
        tokio::spawn(show.run(stopping));
    }

    let mut watchdog = tokio::time::interval(std::time::Duration::from_millis(50));
    loop {
        tokio::select! {
            () = signals.next() => break,
            _ = watchdog.tick() => if sequencer.has_stopped() { break },
        }
    }
    let failed = sequencer.has_stopped();
    if !failed {
        say!("Stopping: what was taken is finished, then a snapshot is written.");
        stop.send_replace(true);
        let _ = traders.await;
        let _ = operator.await;
        redis = tokio::task::spawn_blocking(move || {
            redis.stop_reading();
            redis
        })
        .await?;
        sequencer.ingress().stop();
    }
    let ended = tokio::task::spawn_blocking(|| {
        let ended = sequencer.join_all();
        redis.join();
        ended
    })
    .await?;
    let stopped =
        ended.context("the exchange has stopped; everything that was acknowledged is on the disk")?;
    let seq = stopped[0].seq;
    if failed {
        bail!("the exchange has stopped by itself at command {seq}");
    }
    tracing::info!(seq = seq.0, partitions = stopped.len(), "stopped");
    Ok(seq)
}

fn port(listener: TcpListener, tls: Option<Arc<Tls>>) -> Port {
    match tls {
        Some(tls) => Port::with_tls(listener, tls),
        None => listener.into(),
    }
}

/// What stops the program, noticed from the moment this is made: Ctrl-C, SIGTERM, and of the demo the end of its terminal. An
/// exchange of one's own outlives its terminal: there SIGHUP is for [`certificates`].
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    fn of(demo: Option<&demo::Demo>) -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: demo.map(|_| signal(SignalKind::hangup())).transpose()?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(()) = async { self.hangup.as_mut()?.recv().await } => {}
        }
    }
}

async fn bind(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow!(
                "{setting}: port {} is in use by another program; stop that one or choose another port",
                address.port()
            )
        }
        std::io::ErrorKind::PermissionDenied => {
            anyhow!("{setting}: no permission to listen on port {}; choose one above 1023", address.port())
        }
        _ => anyhow!("{setting}: cannot listen on {address}: {error}"),
    })
}

/// The demo's keys are known to everybody who sees the terminal, so nobody else may reach them.
fn refuse_open_demo(config: &Config, views: &Views) -> anyhow::Result<()> {
    for (setting, address) in [("public.listen", config.public.listen), ("admin.listen", config.admin.listen)]
    {
        if !is_loopback(address) && demo::keys_are_on(views.catalog()) {
            bail!(
                "{setting} is {address}, which others can reach, while the demo's keys are on: listen on 127.0.0.1, revoke \
                 them, or use another data directory"
            );
        }
    }
    Ok(())
}

/// All markets by name, and where they live.
fn homes(catalog: &Catalog) -> Vec<(String, PartitionId)> {
    let home = |(market, terms): (_, &MarketTerms)| (terms.name.to_string(), catalog.market_home(market));
    catalog.markets().map(home).collect()
}

pub fn stored_keys(recovered: &Recovered) -> Vec<StoredKey> {
    let stored = recovered.partition().api_keys().map(|(key, stored)| StoredKey {
        key: *key,
        account: stored.account,
        kind: stored.kind,
        sealed: stored.sealed.clone(),
        permissions: stored.permissions,
        ip_ranges: stored.ip_ranges.clone(),
    });
    stored.collect()
}

/// The one in the file; a new exchange makes one.
pub fn master_key(file: &Path, is_new: bool) -> anyhow::Result<MasterKey> {
    match (file.exists(), is_new) {
        (true, _) => Ok(MasterKey::from_file(file)?),
        (false, true) => {
            let master = MasterKey::generate()?;
            master.write_new(file)?;
            Ok(MasterKey::from_file(file)?)
        }
        (false, false) => bail!(
            "the master key file {} is missing: put back the one that this data directory was made with; no other opens the \
             secrets of its API keys",
            file.display()
        ),
    }
}

/// Finishes what a stop has broken off: seals anew what the master key from before has sealed, and forgets that one.
fn finish_change_of_master_key(keys: &KeyStore, ingress: &Ingress) -> anyhow::Result<()> {
    if !keys.is_changing() {
        return Ok(());
    }
    let outdated = keys.outdated()?;
    for reseal in &outdated {
        setup::execute(ingress, Command::ResealApiKey(Box::new(reseal.clone())))
            .context("the change of the master key cannot be finished")?;
        keys.resealed(reseal);
    }
    keys.finish_change().context("the change of the master key cannot be finished")?;
    say!("The change of the master key is finished: {} keys were sealed anew.", outdated.len());
    Ok(())
}

/// The one in the file, which is made where there is none.
fn admin_token(file: &Path) -> anyhow::Result<AdminToken> {
    let path = file.display();
    if !file.exists() {
        write_secret(file, &AdminToken::generate()?)
            .with_context(|| format!("cannot write the operator's token to {path}"))?;
    }
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read the operator's token from {path}"))?;
    AdminToken::new(text.trim())?.ok_or_else(|| {
        anyhow!("the operator's token in {path} must have {} or more visible characters", AdminToken::MIN_LEN)
    })
}
