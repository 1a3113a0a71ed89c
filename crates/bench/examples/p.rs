fn main() {
    let m = bench::partition::run(4_000_000);
    println!("{} {} rejects", m.per_second(), m.rejects);
}
