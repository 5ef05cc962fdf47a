//! Names of points: a server's part, written once, and a number that is written anew for each.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::server::Server;

/// memcached's port, which libmemcached leaves out of a point's name.
const DEFAULT_PORT: &str = "11211";

/// A name with a number at its end, such as `10.0.0.1:11212-37`.
pub(crate) struct PointName {
    text: Vec<u8>,
    prefix: usize,
}

impl PointName {
    pub(crate) fn new() -> Self {
        Self { text: Vec::new(), prefix: 0 }
    }

    /// Begins a new name; the prefix is what stands before the number.
    pub(crate) fn begin(&mut self, prefix: fmt::Arguments<'_>) {
        self.text.clear();
        // Writing to a vector can't fail.
        let _ = Text(&mut self.text).write_fmt(prefix);
        self.prefix = self.text.len();
    }

    pub(crate) fn prefix(&self) -> &[u8] {
        self.text.get(..self.prefix).unwrap_or_default()
    }

    /// The name with that number.
    pub(crate) fn numbered(&mut self, number: u32) -> &[u8] {
        self.text.truncate(self.prefix);
        self.text.extend_from_slice(Decimal::new(number).digits());
        &self.text
    }
}

struct Text<'a>(&'a mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// A number in decimal.
pub(crate) struct Decimal {
    text: [u8; 10],
    start: usize,
}

impl Decimal {
    pub(crate) fn new(mut number: u32) -> Self {
        let mut text = [b'0'; 10];
        let mut start = text.len();
        for digit in text.iter_mut().rev() {
            start -= 1;
            // A remainder of 10 fits.
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        Self { text, start }
    }

    pub(crate) fn digits(&self) -> &[u8] {
        self.text.get(self.start..).unwrap_or_default()
    }
}

/// libmemcached's name of a server: the port only where it is not 11211.
pub(crate) struct ShortName<'a>(pub(crate) &'a Server<'a>);

impl fmt::Display for ShortName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.port == DEFAULT_PORT {
            f.write_str(self.0.host)
        } else {
            write!(f, "{}:{}", self.0.host, self.0.port)
        }
    }
}

/// A server's name with its port always, but for a Unix socket, whose path is its name.
pub(crate) fn full_name(server: &Server<'_>) -> String {
    let mut name = String::from(server.host);
    if !server.is_unix() {
        name.push(':');
        name.push_str(server.port);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{Decimal, PointName, ShortName, full_name};
    use crate::server::Server;
    use alloc::string::ToString;

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 1, 9, 10, 99, 100, 4_294_967_295] {
            assert_eq!(Decimal::new(number).digits(), number.to_string().as_bytes());
        }
    }

    #[test]
    fn the_number_is_replaced() {
        let mut name = PointName::new();
        name.begin(format_args!("host-"));
        assert_eq!(name.numbered(12), b"host-12");
        assert_eq!(name.numbered(3), b"host-3");
        assert_eq!(name.prefix(), b"host-");
    }

    #[test]
    fn only_the_short_name_leaves_the_port_out() {
        let server = Server::new("h", "11211");
        assert_eq!(ShortName(&server).to_string(), "h");
        assert_eq!(full_name(&server), "h:11211");
        let server = Server::new("/tmp/mc", "0");
        assert_eq!(ShortName(&server).to_string(), "/tmp/mc:0");
        assert_eq!(full_name(&server), "/tmp/mc");
    }
}
