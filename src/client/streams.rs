//! Streams: rows of `iterate`, states of a live query, changes. Dropping one ends what it follows.

use super::Error;
use super::convert::{decode_object, get, get_count, get_string, list, set};
use super::js::{JsDatabase, JsGenerator};
use futures_core::Stream;
use js_sys::{Function, Object};
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// Commits that wait to be taken; of one that follows more it is only known that anything may be another.
const UNTAKEN_MAX: usize = 256;

/// The rows of one statement as they come; made by [`Database::iterate`](super::Database::iterate).
pub struct Rows<T> {
    generator: JsGenerator,
    next: Option<JsFuture>,
    is_over: bool,
    row: PhantomData<fn() -> T>,
}

impl<T> Rows<T> {
    pub(super) fn new(generator: JsGenerator) -> Self {
        Self { generator, next: None, is_over: false, row: PhantomData }
    }
}

impl<T: DeserializeOwned> Rows<T> {
    /// The next row, without a trait to import.
    ///
    /// ```ignore
    /// while let Some(item) = stream.next().await { show(item) }
    /// ```
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<T: DeserializeOwned> Stream for Rows<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let mut next = self.next.take().unwrap_or_else(|| self.generator.next().into());
        match Pin::new(&mut next).poll(cx) {
            Poll::Pending => {
                self.next = Some(next);
                Poll::Pending
            }
            Poll::Ready(Err(thrown)) => {
                self.is_over = true;
                Poll::Ready(Some(Err(Error::from_js(&thrown))))
            }
            Poll::Ready(Ok(step)) if get(&step, "done").is_truthy() => {
                self.is_over = true;
                Poll::Ready(None)
            }
            Poll::Ready(Ok(step)) => Poll::Ready(Some(decode_object(&get(&step, "value")))),
        }
    }
}

impl<T> Drop for Rows<T> {
    fn drop(&mut self) {
        if !self.is_over {
            let ended = JsFuture::from(self.generator.end());
            wasm_bindgen_futures::spawn_local(async move { drop(ended.await) });
        }
    }
}

/// What JavaScript's callbacks put in and a stream takes out.
struct Mailbox<T> {
    items: VecDeque<T>,
    is_over: bool,
    waker: Option<Waker>,
}

type Shared<T> = Rc<RefCell<Mailbox<T>>>;

fn mailbox<T>() -> Shared<T> {
    Rc::new(RefCell::new(Mailbox { items: VecDeque::new(), is_over: false, waker: None }))
}

/// Wakes only after the borrow has ended: who is woken may poll at once.
fn put<T>(mailbox: &Shared<T>, change: impl FnOnce(&mut Mailbox<T>)) {
    let waker = {
        let mut mailbox = mailbox.borrow_mut();
        change(&mut mailbox);
        mailbox.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn take<T>(mailbox: &Shared<T>, cx: &Context<'_>) -> Poll<Option<T>> {
    let mut mailbox = mailbox.borrow_mut();
    match mailbox.items.pop_front() {
        Some(item) => Poll::Ready(Some(item)),
        None if mailbox.is_over => Poll::Ready(None),
        None => {
            mailbox.waker = Some(cx.waker().clone());
            Poll::Pending
        }
    }
}

/// A subscription's end, called once when the stream is dropped, before the closures that it keeps.
struct Subscription {
    stop: Function,
    _callbacks: Vec<Closure<dyn FnMut(JsValue)>>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // It throws nothing.
        let _ = self.stop.call0(&JsValue::UNDEFINED);
    }
}

/// The states of a live query, each the whole list of rows; made by [`Database::live`](super::Database::live). Who takes long gets the
/// latest, not all.
pub struct Live<T> {
    mailbox: Shared<Result<JsValue, Error>>,
    _subscription: Subscription,
    row: PhantomData<fn() -> T>,
}

impl<T> Live<T> {
    pub(super) fn new(database: &JsDatabase, sql: &str, params: &JsValue) -> Result<Self, Error> {
        let options = Object::new();
        set(&options, "bigint", "bigint");
        let live = database.live(sql, params, &options).map_err(|thrown| Error::from_js(&thrown))?;
        let mailbox = mailbox();
        let [on_rows, on_error, on_end] = [mailbox.clone(), mailbox.clone(), mailbox.clone()];
        let callbacks: Vec<Closure<dyn FnMut(JsValue)>> = vec![
            Closure::new(move |rows| {
                put(&on_rows, |mailbox| {
                    mailbox.items.clear();
                    mailbox.items.push_back(Ok(rows));
                });
            }),
            Closure::new(move |thrown| {
                put(&on_error, |mailbox| {
                    mailbox.items.push_back(Err(Error::from_js(&thrown)));
                    mailbox.is_over = true;
                });
            }),
            Closure::new(move |_| put(&on_end, |mailbox| mailbox.is_over = true)),
        ];
        let observer = Object::new();
        for (name, callback) in ["next", "error", "complete"].into_iter().zip(&callbacks) {
            set(&observer, name, callback.as_ref());
        }
        let stop = live.subscribe(&observer);
        Ok(Self { mailbox, _subscription: Subscription { stop, _callbacks: callbacks }, row: PhantomData })
    }
}

impl<T: DeserializeOwned> Live<T> {
    /// The next state, without a trait to import.
    ///
    /// ```ignore
    /// while let Some(item) = stream.next().await { show(item) }
    /// ```
    pub async fn next(&mut self) -> Option<Result<Vec<T>, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<T: DeserializeOwned> Stream for Live<T> {
    type Item = Result<Vec<T>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        take(&self.mailbox, cx).map(|told| told.map(|rows| list(&rows?).iter().map(decode_object).collect()))
    }
}

/// A commit that changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number: commits are told in order.
    pub commit: u64,
    /// Whether another tab made it.
    pub is_foreign: bool,
    /// The tables that it changed, as far as they are known.
    pub tables: Vec<String>,
    /// Anything may be another: the schema, the whole database, or nobody knows what.
    pub everything: bool,
}

/// The commits that change tables; made by [`Database::changes`](super::Database::on_change).
pub struct Changes {
    mailbox: Shared<Change>,
    _subscription: Subscription,
}

impl Changes {
    pub(super) fn new(database: &JsDatabase, tables: &[&str]) -> Result<Self, Error> {
        let filter = Object::new();
        if !tables.is_empty() {
            set(&filter, "tables", tables.iter().map(|table| JsValue::from_str(table)).collect::<js_sys::Array>());
        }
        let mailbox = mailbox();
        let told = mailbox.clone();
        let callback: Closure<dyn FnMut(JsValue)> = Closure::new(move |change: JsValue| {
            put(&told, |mailbox| {
                mailbox.items.push_back(change_of(&change));
                // Whoever takes none must not fill the memory: as the hub does, it says that there were more.
                if mailbox.items.len() > UNTAKEN_MAX {
                    mailbox.items.pop_front();
                    mailbox.items[0].everything = true;
                }
            });
        });
        let stop = database.on_change(&filter, callback.as_ref()).map_err(|thrown| Error::from_js(&thrown))?;
        Ok(Self { mailbox, _subscription: Subscription { stop, _callbacks: vec![callback] } })
    }
}

fn change_of(change: &JsValue) -> Change {
    Change {
        commit: get_count(change, "commit").unwrap_or_default(),
        is_foreign: get_string(change, "origin") == "another",
        tables: list(&get(change, "tables")).iter().map(|table| get_string(table, "table")).collect(),
        everything: get(change, "everything").is_truthy(),
    }
}

impl Changes {
    /// The next commit, without a trait to import.
    ///
    /// ```ignore
    /// while let Some(item) = stream.next().await { show(item) }
    /// ```
    pub async fn next(&mut self) -> Option<Change> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Changes {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        take(&self.mailbox, cx)
    }
}
