use omcache::*;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let list = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).unwrap().parse()?;
    let mut c = Client::connect_to(&list)?;
    println!("{:?}", c.set("foo", "barbar", Expiration::NEVER)?);
    for _ in 0..n { c.get("foo")?; }
    println!("{:?}", c.get("foo")?);
    println!("{:?} {:?}", c.version(0)?, c.stats(0, "")?.len());
    let keys: Vec<String> = (0..100000).map(|i| format!("key_{i:012}")).collect();
    let v = vec![7u8; 1024];
    let items: Vec<Item> = keys.iter().map(|k| Item::new(k, &v)).collect();
    let t = std::time::Instant::now();
    let r = c.set_multi(&items);
    println!("{} {:?}", r.iter().filter(|r| r.is_ok()).count(), t.elapsed());
    let t = std::time::Instant::now();
    let r = c.get_multi(&keys);
    println!("{} {:?}", r.iter().filter(|r| matches!(r, Ok(Some(v)) if v.data.len()==1024)).count(), t.elapsed());
    let t = std::time::Instant::now();
    for k in &keys { c.queue(&Command::Store(Mode::Set, Item::new(k, "x")))?; }
    println!("{:?} {:?}", c.flush()?, t.elapsed());
    Ok(())
}
