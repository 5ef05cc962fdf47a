//! Commands on one key.

use omcache_conn::Target;
use omcache_proto::{Key, Request, StoreMode};

use super::Client;
use crate::command::{self, Command, Delta, Item, Mode, Stored, Value, ValueRef};
use crate::error::Error;
use crate::expiration::Expiration;

/// # Commands on one key
///
/// Each waits for the answer, no longer than [`Client::timeout`]. Common errors: [`InvalidInput`] for a key that is empty
/// or longer than 250 bytes, [`NoServers`], [`NotSent`], [`Unknown`], [`Timeout`], [`SendBufferFull`].
///
/// [`InvalidInput`]: crate::ErrorKind::InvalidInput
/// [`NoServers`]: crate::ErrorKind::NoServers
/// [`NotSent`]: crate::ErrorKind::NotSent
/// [`Unknown`]: crate::ErrorKind::Unknown
/// [`Timeout`]: crate::ErrorKind::Timeout
/// [`SendBufferFull`]: crate::ErrorKind::SendBufferFull
impl Client {
    /// Reads a value; `None` where the key is not found.
    ///
    /// # Errors
    /// The common ones, and [`ResponseTooLarge`](crate::ErrorKind::ResponseTooLarge).
    #[inline]
    pub fn get<K: AsRef<[u8]> + ?Sized>(&mut self, key: &K) -> Result<Option<Value>, Error> {
        let key = Key::new(key.as_ref()).map_err(Error::invalid)?;
        self.exchange(Target::Key, &Request::Get { key, with_key: false, quiet: false }, command::value)
    }

    /// Reads a value and lends it to `read`, whose result is returned; `None` where the key is not found.
    ///
    /// For values that are only parsed or copied it costs less than [`Client::get`], and no receive buffer is kept for their
    /// sake.
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// # use omcache::{Client, Expiration, testing::Server};
    /// # let server = Server::start()?;
    /// # let mut client = Client::builder().server(server.address())?.build()?;
    /// let _ = client.set("seats", "42", Expiration::NEVER)?;
    /// let seats = client.get_with("seats", |value| std::str::from_utf8(value.data)?.parse::<u32>().map_err(Box::from))?;
    /// let seats: Result<u32, Box<dyn std::error::Error>> = seats.ok_or("a miss")?;
    /// assert_eq!(seats?, 42);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Client::get`].
    #[inline]
    pub fn get_with<K: AsRef<[u8]> + ?Sized, T>(
        &mut self,
        key: &K,
        read: impl FnOnce(ValueRef<'_>) -> T,
    ) -> Result<Option<T>, Error> {
        let key = Key::new(key.as_ref()).map_err(Error::invalid)?;
        let request = Request::Get { key, with_key: false, quiet: false };
        self.exchange(Target::Key, &request, |response| Ok(command::value_ref(&response)?.map(read)))
    }

    /// Reads a value and sets its expiration.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn gat<K: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        expiration: impl Into<Expiration>,
    ) -> Result<Option<Value>, Error> {
        let command = Command::GetAndTouch(key.as_ref(), expiration.into());
        self.exchange(Target::Key, &command.request(false)?, command::value)
    }

    /// Stores a value.
    ///
    /// # Errors
    /// The common ones, and [`ValueTooLarge`](crate::ErrorKind::ValueTooLarge).
    pub fn set<K: AsRef<[u8]> + ?Sized, V: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
        expiration: impl Into<Expiration>,
    ) -> Result<Stored, Error> {
        self.store_one(StoreMode::Set, &Item::new(key, value).expires(expiration))
    }

    /// Stores a value where the key does not exist yet; else the result is [`Stored::Exists`].
    ///
    /// # Errors
    /// As [`Client::set`].
    pub fn add<K: AsRef<[u8]> + ?Sized, V: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
        expiration: impl Into<Expiration>,
    ) -> Result<Stored, Error> {
        self.store(Mode::Add, &Item::new(key, value).expires(expiration))
    }

    /// Stores a value where the key exists; else the result is [`Stored::NotFound`].
    ///
    /// # Errors
    /// As [`Client::set`].
    pub fn replace<K: AsRef<[u8]> + ?Sized, V: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
        expiration: impl Into<Expiration>,
    ) -> Result<Stored, Error> {
        self.store(Mode::Replace, &Item::new(key, value).expires(expiration))
    }

    /// Adds bytes behind a value; the result is [`Stored::NotStored`] where there is none.
    ///
    /// # Errors
    /// As [`Client::set`].
    pub fn append<K: AsRef<[u8]> + ?Sized, V: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<Stored, Error> {
        self.store(Mode::Append, &Item::new(key, value))
    }

    /// Adds bytes before a value; the result is [`Stored::NotStored`] where there is none.
    ///
    /// # Errors
    /// As [`Client::set`].
    pub fn prepend<K: AsRef<[u8]> + ?Sized, V: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<Stored, Error> {
        self.store(Mode::Prepend, &Item::new(key, value))
    }

    /// Stores a value where the key's CAS is still the one that was read with it: [`Stored::Exists`] where another value
    /// was stored meanwhile, [`Stored::NotFound`] where the key is gone.
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// # use omcache::{Client, Expiration, Stored, testing::Server};
    /// # let server = Server::start()?;
    /// # let mut client = Client::builder().server(server.address())?.build()?;
    /// let _ = client.set("seats", "A", Expiration::NEVER)?;
    /// let seen = client.get("seats")?.ok_or("a miss")?;
    /// assert!(client.cas("seats", "AB", Expiration::NEVER, seen.cas)?.is_stored());
    /// assert_eq!(client.cas("seats", "AC", Expiration::NEVER, seen.cas)?, Stored::Exists);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Client::set`].
    pub fn cas<K: AsRef<[u8]> + ?Sized, V: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
        expiration: impl Into<Expiration>,
        cas: u64,
    ) -> Result<Stored, Error> {
        self.store(Mode::Set, &Item::new(key, value).expires(expiration).cas(cas))
    }

    /// Stores a value, with everything that can be said of it.
    ///
    /// # Errors
    /// As [`Client::set`].
    pub fn store(&mut self, mode: Mode, item: &Item<'_>) -> Result<Stored, Error> {
        let request = Command::Store(mode, *item).request(false)?;
        self.exchange(Target::Key, &request, |response| command::stored(&response))
    }

    /// As [`Client::store`], where the mode is known: what depends on it folds.
    #[inline(always)]
    fn store_one(&mut self, mode: StoreMode, item: &Item<'_>) -> Result<Stored, Error> {
        let request = command::store_request(mode, item, false)?;
        self.exchange(Target::Key, &request, |response| command::stored(&response))
    }

    /// Adds to a decimal counter and returns its new value, which wraps at 2^64; `None` where there is no such key and
    /// `delta` says nothing of making it.
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// # use omcache::{Client, Delta, Expiration, testing::Server};
    /// # let server = Server::start()?;
    /// # let mut client = Client::builder().server(server.address())?.build()?;
    /// assert_eq!(client.increment("hits", 1)?, None);
    /// assert_eq!(client.increment("hits", Delta::from(1).or_create(10, Expiration::NEVER))?, Some(10));
    /// assert_eq!(client.increment("hits", 5)?, Some(15));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The common ones, and [`NonNumeric`](crate::ErrorKind::NonNumeric).
    pub fn increment<K: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        delta: impl Into<Delta>,
    ) -> Result<Option<u64>, Error> {
        let request = Command::Increment(key.as_ref(), delta.into()).request(false)?;
        self.exchange(Target::Key, &request, |response| command::counted(&response))
    }

    /// Subtracts from a decimal counter and returns its new value, which stops at 0; `None` as in
    /// [`Client::increment`].
    ///
    /// # Errors
    /// As [`Client::increment`].
    pub fn decrement<K: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        delta: impl Into<Delta>,
    ) -> Result<Option<u64>, Error> {
        let request = Command::Decrement(key.as_ref(), delta.into()).request(false)?;
        self.exchange(Target::Key, &request, |response| command::counted(&response))
    }

    /// Removes a key; false where there was none.
    ///
    /// # Errors
    /// The common ones.
    pub fn delete<K: AsRef<[u8]> + ?Sized>(&mut self, key: &K) -> Result<bool, Error> {
        let request = Command::Delete(key.as_ref()).request(false)?;
        self.exchange(Target::Key, &request, |response| command::found(&response))
    }

    /// Sets a key's expiration; false where there is no such key.
    ///
    /// # Errors
    /// The common ones.
    pub fn touch<K: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        expiration: impl Into<Expiration>,
    ) -> Result<bool, Error> {
        let request = Command::Touch(key.as_ref(), expiration.into()).request(false)?;
        self.exchange(Target::Key, &request, |response| command::found(&response))
    }
}
