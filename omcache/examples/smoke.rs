use omcache::*;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let list = std::env::args().nth(1).unwrap();
    let what = std::env::args().nth(2).unwrap();
    let n: usize = std::env::args().nth(3).unwrap().parse()?;
    let mut c = Client::connect_to(&list)?;
    let v = vec![7u8; 100];
    let keys: Vec<String> = (0..100).map(|i| format!("key_{i:012}")).collect();
    for k in &keys { let _ = c.set(k, &v, Expiration::NEVER)?; }
    match what.as_str() {
        "get" => for i in 0..n { c.get(&keys[i % 100])?; },
        "set" => for i in 0..n { let _ = c.set(&keys[i % 100], &v, Expiration::NEVER)?; },
        "multi" => for _ in 0..n { c.get_multi(&keys); },
        "queue" => { for i in 0..n { c.queue(&Command::Store(Mode::Set, Item::new(&keys[i % 100], &v)))?; } let _ = c.flush()?; }
        _ => {}
    }
    Ok(())
}
