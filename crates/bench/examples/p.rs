fn main() {
    let m = bench::partition::run(4_000_000);
    println!("{} {} rejects", m.per_second(), m.rejects);
    let d = bench::durable::run(std::path::Path::new("target"), 4_000_000).unwrap();
    for m in [d.live, d.replay] {
        println!("{} {} {} rejects", m.name, m.per_second(), m.rejects);
    }
}
