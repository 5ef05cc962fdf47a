//! What a packet costs to write and to read.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput};
use omcache_proto::binary::{
    HEADER_LEN, Opcode, ResponseHeader, ResponsePacket, Status, decode_request, decode_response,
};
use omcache_proto::{Key, Request, StoreMode};

const KEY: &[u8] = b"0123456789abcdef";
const VALUE: [u8; 100] = [b'v'; 100];
const MAX_BODY: usize = 1 << 20;

/// The buffer has room and is emptied each time, as that of a connection whose data has been sent.
fn encode(criterion: &mut Criterion, name: &str, request: Request<'_>) {
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    let mut out = BytesMut::with_capacity(4096);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            out.clear();
            let written = black_box(&request).encode_binary(black_box(1), &mut out);
            black_box(out.as_ptr());
            written
        });
    });
    group.finish();
}

fn decode(criterion: &mut Criterion) {
    let mut response = BytesMut::new();
    let packet = ResponsePacket {
        opcode: Opcode::GET,
        status: Status::SUCCESS,
        cas: 1,
        opaque: 1,
        extras: &[0; 4],
        key: b"",
        value: &VALUE,
    };
    let mut request = BytesMut::new();
    let encoded = packet.encode(&mut response).and_then(|()| set().encode_binary(1, &mut request));
    assert_eq!(encoded, Ok(()));

    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    group.bench_function("response header", |bencher| {
        bencher.iter(|| black_box(ResponseHeader::parse(black_box(&response[..HEADER_LEN]))).is_ok());
    });
    group.bench_function("response, 100 B", |bencher| {
        bencher.iter(|| black_box(decode_response(black_box(&response), MAX_BODY)).is_ok());
    });
    group.bench_function("request, 100 B", |bencher| {
        bencher.iter(|| black_box(decode_request(black_box(&request), MAX_BODY)).is_ok());
    });
    group.finish();
}

fn key() -> Key<'static> {
    match Key::new(KEY) {
        Ok(key) => key,
        Err(error) => unreachable!("{error}"),
    }
}

fn get() -> Request<'static> {
    Request::Get { key: key(), with_key: false, quiet: false }
}

fn set() -> Request<'static> {
    Request::Store {
        mode: StoreMode::Set,
        key: key(),
        value: &VALUE,
        flags: 0,
        expiration: 0,
        cas: 0,
        quiet: false,
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    encode(&mut criterion, "get", get());
    encode(&mut criterion, "set, 100 B", set());
    decode(&mut criterion);
    criterion.final_summary();
}
