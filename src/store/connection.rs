//! A connection to the database, opened again when it is lost.
//!
//! Browsers close connections for many reasons: the user clears the site's data, another
//! version of the library wants to upgrade, WebKit's storage process dies. What then fails
//! at once is tried again on a new connection.

use super::js::{Js, Timer, is_named, unavailable};
use super::schema::{DATABASE, DATABASE_VERSION, DOWNLOADS, MODELS, RECORDS};
use crate::{Error, Result};
use js_sys::{Array, Function, Object, Promise, Reflect};
use std::cell::RefCell;
use std::future::Future;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbFactory, IdbOpenDbRequest, IdbRequest, IdbTransaction};

/// Some browsers have been seen not to answer at all.
const OPEN_MS: u32 = 10_000;

/// A connection; closed when dropped.
pub(super) struct Connection(RefCell<Open>);

struct Open {
    database: IdbDatabase,
    /// Another version of this library may want to upgrade: do not stand in its way.
    _close: Closure<dyn Fn()>,
}

/// How sure a transaction must be of the disk before it reports success.
#[derive(Clone, Copy)]
pub(super) enum Durability {
    /// The operating system has it.
    Relaxed,
    /// The disk has it.
    Strict,
}

impl Connection {
    /// Opens the database; makes it on the first visit.
    ///
    /// # Errors
    /// [`Error::StorageUnavailable`] if the browser refuses.
    pub(super) async fn open() -> Result<Connection> {
        Ok(Connection(RefCell::new(open().await?)))
    }

    /// Opens the database anew.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(super) async fn reopen(&self) -> Result<()> {
        let open = open().await?;
        self.0.replace(open);
        Ok(())
    }

    /// Starts a transaction over `stores`.
    pub(super) fn transaction(
        &self,
        stores: &[&str],
        mode: &str,
        durability: Durability,
    ) -> Js<IdbTransaction> {
        let names: Array = stores.iter().map(|name| JsValue::from_str(name)).collect();
        let options = Object::new();
        let durability = match durability {
            Durability::Relaxed => "relaxed",
            Durability::Strict => "strict",
        };
        Reflect::set(&options, &"durability".into(), &durability.into())?;
        let database = &self.0.borrow().database;
        // The binding of `transaction` with its third argument is not stable in web-sys.
        Reflect::get(database, &"transaction".into())?
            .dyn_into::<Function>()?
            .call3(database, &names, &mode.into(), &options)?
            .dyn_into()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.database.set_onversionchange(None);
        self.database.close();
    }
}

/// Whether an exception says that the connection is gone, and not that the store is full.
pub(super) fn is_lost(exception: &JsValue) -> bool {
    !is_named(exception, "QuotaExceededError")
}

async fn open() -> Result<Open> {
    let request = open_request().map_err(|e| unavailable(&e))?;
    let upgrade = Closure::once_into_js({
        let request = request.clone();
        // A store that cannot be made aborts the upgrade, and so fails the request.
        move || create_stores(&request)
    });
    request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
    let timer = Timer::start(OPEN_MS);
    let late = {
        let done = timer.done();
        wasm_bindgen_futures::future_to_promise(async move {
            done.await;
            Ok(JsValue::NULL)
        })
    };
    let opened = wasm_bindgen_futures::future_to_promise(result(&request));
    let first = JsFuture::from(Promise::race(&Array::of2(&opened, &late))).await;
    let database = first.map_err(|e| unavailable(&e))?;
    if database.is_null() {
        // Should it come yet, it must not stand in anybody's way.
        let close = Closure::once_into_js({
            let request = request.clone();
            move || -> Js<()> {
                request.result()?.dyn_into::<IdbDatabase>()?.close();
                Ok(())
            }
        });
        request.set_onsuccess(Some(close.unchecked_ref()));
        let what = "the database does not answer; another tab may hold it".into();
        return Err(Error::StorageUnavailable { what });
    }
    let database = database.dyn_into::<IdbDatabase>().map_err(|e| unavailable(&e))?;
    let close = Closure::new({
        let database = database.clone();
        move || database.close()
    });
    database.set_onversionchange(Some(close.as_ref().unchecked_ref()));
    Ok(Open { database, _close: close })
}

fn open_request() -> Js<IdbOpenDbRequest> {
    Reflect::get(&js_sys::global(), &"indexedDB".into())?
        .dyn_into::<IdbFactory>()
        .map_err(|_| js_sys::Error::new("there is no IndexedDB here"))?
        .open_with_u32(DATABASE, DATABASE_VERSION)
}

fn create_stores(request: &IdbOpenDbRequest) -> Js<()> {
    let database = request.result()?.dyn_into::<IdbDatabase>()?;
    for store in [MODELS, DOWNLOADS, RECORDS] {
        database.create_object_store(store)?;
    }
    Ok(())
}

/// A request's result, or its error. Listens from the moment of the call.
pub(super) fn result(request: &IdbRequest) -> impl Future<Output = Js<JsValue>> + use<> {
    on_success(request, Ok)
}

/// As [`result`], passed through `then` while the transaction is still active.
pub(super) fn on_success<F>(
    request: &IdbRequest,
    then: F,
) -> impl Future<Output = Js<JsValue>> + use<F>
where
    F: FnOnce(JsValue) -> Js<JsValue> + 'static,
{
    let mut then = Some(then);
    let settled = JsFuture::from(Promise::new(&mut |resolve, reject| {
        request.set_onerror(Some(&reject));
        // A promise calls its executor once.
        let Some(then) = then.take() else { return };
        let request = request.clone();
        let on_success = Closure::once_into_js({
            let request = request.clone();
            move || match request.result().and_then(then) {
                Ok(value) => resolve.call1(&JsValue::UNDEFINED, &value),
                Err(exception) => reject.call1(&JsValue::UNDEFINED, &exception),
            }
        });
        request.set_onsuccess(Some(on_success.unchecked_ref()));
    }));
    let request = request.clone();
    async move {
        // `onerror` hands over an event; the request has the error.
        let error = |thrown| request.error().ok().flatten().map_or(thrown, JsValue::from);
        settled.await.map_err(error)
    }
}

/// Resolves when the transaction is committed, rejects when it is aborted.
pub(super) fn end(transaction: &IdbTransaction) -> JsFuture {
    JsFuture::from(Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    }))
}
