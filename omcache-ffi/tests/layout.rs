//! The Rust side of the C interface against the headers: the C compiler is asked whether both mean the same.
//!
//! For each structure a C file asserts the sizes and offsets that Rust has; for each function it initializes a pointer
//! of the type that Rust has. Neither `const` nor the sign of a `char` changes what is passed, so both are left out.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::ffi::{c_int, c_void};
use std::fmt::Write as _;
use std::io::Write as _;
use std::mem::{align_of, offset_of, size_of};
use std::process::{Command, Stdio};

use omcache_ffi::types::*;
use omcache_ffi::*;

const HEADERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/include");

/// What the C compiler says against a file that includes `omcache.h` and then has `text`; none where it says nothing.
fn objections(text: &str) -> Option<String> {
    let mut compiler = Command::new("cc")
        .args(["-x", "c", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"])
        .args(["-I", HEADERS, "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cc starts");
    let mut input = compiler.stdin.take().unwrap();
    // The headers of the system come before, as they are.
    write!(
        input,
        "#include <poll.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <time.h>\n#define const\n\
         #define unsigned\n#include \"omcache.h\"\n{text}"
    )
    .unwrap();
    drop(input);
    let output = compiler.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then_some(told)
}

/// A Rust type as C writes it, without `const` and `unsigned`.
trait CType {
    fn name() -> String;
}

macro_rules! c_types {
    ($($rust:ty => $name:expr;)*) => {
        $(impl CType for $rust {
            fn name() -> String {
                $name.to_owned()
            }
        })*
    };
}

c_types! {
    () => "void";
    c_void => "void";
    i8 => "char";
    u8 => "char";
    i32 => "int32_t";
    u32 => "uint32_t";
    i64 => "int64_t";
    u64 => "uint64_t";
    usize => "size_t";
    libc::pollfd => "struct pollfd";
    omcache_t => "omcache_t";
    omcache_req_t => "omcache_req_t";
    omcache_value_t => "omcache_value_t";
    omcache_dist_t => "omcache_dist_t";
    omcache_server_info_t => "omcache_server_info_t";
    omcache_server_status_t => "omcache_server_status_t";
    Option<omcache_log_callback_func> => "omcache_log_callback_func *";
    Option<omcache_response_callback_func> => "omcache_response_callback_func *";
    Option<omc_ketama_point_hash_func> => "omc_ketama_point_hash_func *";
    Option<omc_ketama_key_hash_func> => "omc_ketama_key_hash_func *";
}

impl<T: CType> CType for *const T {
    fn name() -> String {
        format!("{} *", T::name())
    }
}

impl<T: CType> CType for *mut T {
    fn name() -> String {
        format!("{} *", T::name())
    }
}

/// A function: its result and its parameters.
trait Signature {
    fn declare(pointer: &str) -> String;
}

macro_rules! signatures {
    ($($parameter:ident)*) => {
        signatures!(@ [unsafe extern "C" fn($($parameter),*) -> R] $($parameter)*);
        signatures!(@ [extern "C" fn($($parameter),*) -> R] $($parameter)*);
    };
    (@ [$function:ty] $($parameter:ident)*) => {
        impl<R: CType, $($parameter: CType),*> Signature for $function {
            fn declare(pointer: &str) -> String {
                let parameters: &[String] = &[$($parameter::name()),*];
                let parameters = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
                format!("{} (*{pointer})({parameters})", R::name())
            }
        }
    };
}

signatures!();
signatures!(A);
signatures!(A B);
signatures!(A B C);
signatures!(A B C D);
signatures!(A B C D E);
signatures!(A B C D E F);
signatures!(A B C D E F G);
signatures!(A B C D E F G H);
signatures!(A B C D E F G H I);
signatures!(A B C D E F G H I J);

fn declaration<F: Signature>(_: F, pointer: &str) -> String {
    F::declare(pointer)
}

/// Each function with its declaration; the underscores count its parameters.
macro_rules! functions {
    ($([$($kind:tt)*] $function:ident($($parameter:tt),*);)*) => {
        [$((
            stringify!($function),
            declaration(
                $function as $($kind)* extern "C" fn($($parameter),*) -> _,
                concat!("rust_", stringify!($function)),
            ),
        )),*]
    };
}

fn functions() -> Vec<(&'static str, String)> {
    functions! {
        [] omcache_init();
        [unsafe] omcache_free(_);
        [] omcache_strerror(_);
        [] omcache_library_version();
        [unsafe] omcache_last_error(_);
        [unsafe] omcache_set_connect_timeout(_, _);
        [unsafe] omcache_set_reconnect_timeout(_, _);
        [unsafe] omcache_set_dead_timeout(_, _);
        [unsafe] omcache_set_send_buffer_max_size(_, _);
        [unsafe] omcache_set_recv_buffer_max_size(_, _);
        [unsafe] omcache_set_buffering(_, _);
        [unsafe] omcache_reset_buffers(_);
        [unsafe] omcache_set_servers(_, _);
        [unsafe] omcache_set_weighted_servers(_, _, _, _);
        [unsafe] omcache_set_distribution_method(_, _);
        [unsafe] omcache_set_distribution_by_name(_, _);
        [unsafe] omcache_set_log_callback(_, _, _, _);
        [unsafe] omcache_log_stderr(_, _, _);
        [unsafe] omcache_set_response_callback(_, _, _);
        [unsafe] omcache_command(_, _, _, _, _, _);
        [unsafe] omcache_command_status(_, _, _);
        [unsafe] omcache_io(_, _, _, _, _, _);
        [unsafe] omcache_poll_fds(_, _, _);
        [unsafe] omcache_server_index_for_key(_, _, _);
        [unsafe] omcache_server_info(_, _);
        [unsafe] omcache_server_info_free(_, _);
        [unsafe] omcache_server_status(_, _, _);
        [unsafe] omcache_server_version(_, _, _, _, _);
        [unsafe] omcache_noop(_, _, _);
        [unsafe] omcache_stat(_, _, _, _, _, _);
        [unsafe] omcache_flush_all(_, _, _, _);
        [unsafe] omcache_set(_, _, _, _, _, _, _, _, _);
        [unsafe] omcache_add(_, _, _, _, _, _, _, _);
        [unsafe] omcache_replace(_, _, _, _, _, _, _, _);
        [unsafe] omcache_append(_, _, _, _, _, _, _);
        [unsafe] omcache_prepend(_, _, _, _, _, _, _);
        [unsafe] omcache_increment(_, _, _, _, _, _, _, _);
        [unsafe] omcache_decrement(_, _, _, _, _, _, _, _);
        [unsafe] omcache_delete(_, _, _, _);
        [unsafe] omcache_touch(_, _, _, _, _);
        [unsafe] omcache_get(_, _, _, _, _, _, _, _);
        [unsafe] omcache_gat(_, _, _, _, _, _, _, _, _);
        [unsafe] omcache_get_multi(_, _, _, _, _, _, _, _, _);
        [unsafe] omcache_gat_multi(_, _, _, _, _, _, _, _, _, _);
    }
    .into()
}

/// Assertions about a structure: its size, its alignment, and each field's offset and size.
macro_rules! layout {
    ($to:ident, $rust:ident as $c:literal { $($field:ident),* }) => {
        writeln!($to, "_Static_assert(sizeof({}) == {}, \"size\");", $c, size_of::<$rust>()).unwrap();
        writeln!($to, "_Static_assert(_Alignof({}) == {}, \"alignment\");", $c, align_of::<$rust>()).unwrap();
        // Rust's fields are all named here, else this is no pattern for the structure.
        let _ = |value: $rust| {
            let $rust { $($field: _),* } = value;
        };
        $(
            let (field, offset) = (stringify!($field), offset_of!($rust, $field));
            let size = size_of_field(|value: *const $rust| {
                // SAFETY: only an address is taken, in a value that is as large as the structure.
                unsafe { &raw const (*value).$field }
            });
            writeln!(
                $to,
                "_Static_assert(offsetof({c}, {field}) == {offset} && sizeof((({c} *) 0)->{field}) == {size}, \
                 \"{field}\");",
                c = $c,
            )
            .unwrap();
        )*
    };
}

fn size_of_field<T, F>(_: impl Fn(*const T) -> *const F) -> usize {
    size_of::<F>()
}

fn layouts() -> String {
    let mut text = String::new();
    layout!(text, omcache_req_header_s as "struct omcache_req_header_s" {
        magic, opcode, keylen, extlen, datatype, reserved, bodylen, opaque, cas
    });
    layout!(text, omcache_req_t as "omcache_req_t" { server_index, header, extra, key, data });
    layout!(text, omcache_value_t as "omcache_value_t" {
        status, key, key_len, data, data_len, flags, cas, delta_value
    });
    layout!(text, omcache_dist_t as "omcache_dist_t" {
        omcache_version, points_per_server, entries_per_point, point_hash_func, key_hash_func
    });
    layout!(text, omcache_server_info_t as "omcache_server_info_t" {
        omcache_version, server_index, hostname, port
    });
    layout!(text, omcache_server_status_t as "omcache_server_status_t" { state, retry_msec, last_error });
    text
}

#[test]
fn structures_are_laid_out_as_in_c() {
    let text = layouts();
    assert!(text.matches("_Static_assert").count() > 40, "{text}");
    assert_eq!(objections(&text), None, "{text}");
}

#[test]
fn functions_have_the_types_that_c_declares() {
    let declared: String =
        functions().iter().map(|(name, declaration)| format!("{declaration} = {name};\n")).collect();
    assert_eq!(objections(&declared), None, "{declared}");
}

#[test]
fn the_compiler_objects_to_what_differs() {
    let size = size_of::<omcache_value_t>() + 8;
    assert!(objections(&format!("_Static_assert(sizeof(omcache_value_t) == {size}, \"size\");")).is_some());
    assert!(objections("int32_t (*f)(omcache_t *, uint64_t) = omcache_set_dead_timeout;").is_some());
    assert!(objections("int32_t (*f)(omcache_t *) = omcache_set_dead_timeout;").is_some());
}

#[test]
fn every_exported_function_is_compared() {
    let map = include_str!("../symbol.map");
    let mut exported: Vec<_> = map
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';'))
        .filter(|name| name.starts_with("omcache_") && !name.starts_with("omcache_dist_"))
        .collect();
    exported.sort_unstable();
    let mut compared: Vec<_> = functions().into_iter().map(|(name, _)| name).collect();
    compared.sort_unstable();
    assert_eq!(compared, exported);
}

#[test]
fn constants_have_the_values_of_the_headers() {
    let state = |name, value: c_int| format!("_Static_assert({name} == {value}, \"{name}\");\n");
    let mut text = state("OMCACHE_VERSION", OMCACHE_VERSION);
    // The texts are the library's, the names are the headers'.
    for (name, code, told) in [
        ("OMCACHE_OK", 0x00, "Success"),
        ("OMCACHE_NOT_FOUND", 0x01, "Key not found from memcached"),
        ("OMCACHE_KEY_EXISTS", 0x02, "Conflicting key exists in memcached"),
        ("OMCACHE_TOO_LARGE_VALUE", 0x03, "Value size exceeds maximum"),
        ("OMCACHE_NOT_STORED", 0x05, "Append or prepend value not stored"),
        ("OMCACHE_DELTA_BAD_VALUE", 0x06, "Existing value can not be incremented or decremented"),
        ("OMCACHE_FAIL", 0x0fff, "Command failed in memcached"),
        ("OMCACHE_AGAIN", 0x1001, "Call would block, try again"),
        ("OMCACHE_INVALID", 0x1002, "Invalid parameters"),
        ("OMCACHE_BUFFERED", 0x1003, "Data buffered in OMcache"),
        ("OMCACHE_BUFFER_FULL", 0x1004, "Buffer full, command dropped"),
        ("OMCACHE_NO_SERVERS", 0x1005, "No server available"),
        ("OMCACHE_SERVER_FAILURE", 0x1006, "Failure communicating to server"),
    ] {
        text += &state(name, code);
        // SAFETY: the text is static and ends in NUL.
        let text_of = unsafe { std::ffi::CStr::from_ptr(omcache_strerror(code)) };
        assert_eq!(text_of.to_str(), Ok(told));
    }
    assert_eq!(objections(&text), None, "{text}");
    assert_eq!(
        size_of::<libc::time_t>(),
        size_of::<std::ffi::c_long>(),
        "time_t is a long in omcache_cdef.h"
    );
}
