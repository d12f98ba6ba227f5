//! Web Locks: that only one tab at a time stores a model.

use super::js::{Js, words};
use crate::{Error, Result};
use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::AbortSignal;

/// A lock that is held until it is dropped, or this worker ends.
pub(super) struct Lock {
    release: Function,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Resolving a promise does not fail.
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

/// The lock `name`; `None` where browsers have none (pages without HTTPS). `waiting` is
/// called if another tab has it.
///
/// # Errors
/// [`Error::Aborted`].
pub(super) async fn acquire(
    name: &str,
    signal: &AbortSignal,
    waiting: impl FnOnce(),
) -> Result<Option<Lock>> {
    let Some(locks) = lock_manager() else { return Ok(None) };
    let options = Object::new();
    let failed = |exception: JsValue| match signal.aborted() {
        true => Error::Aborted,
        false => Error::StorageUnavailable { what: words(&exception) },
    };
    // Of a fresh object: cannot fail.
    let _ = Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE);
    if let Some(lock) = request(&locks, name, &options).await.map_err(failed)? {
        return Ok(Some(lock));
    }
    waiting();
    let options = Object::new();
    let _ = Reflect::set(&options, &"signal".into(), signal);
    request(&locks, name, &options).await.map_err(failed)
}

/// The lock `name` together with all others who share it; `None` where browsers have none.
///
/// # Errors
/// [`Error::Aborted`].
pub(super) async fn share(name: &str, signal: &AbortSignal) -> Result<Option<Lock>> {
    let Some(locks) = lock_manager() else { return Ok(None) };
    let options = Object::new();
    // Of a fresh object: cannot fail.
    let _ = Reflect::set(&options, &"mode".into(), &"shared".into());
    let _ = Reflect::set(&options, &"signal".into(), signal);
    match request(&locks, name, &options).await {
        Err(_) if signal.aborted() => Err(Error::Aborted),
        shared => Ok(shared.ok().flatten()),
    }
}

fn lock_manager() -> Option<JsValue> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    let locks = Reflect::get(&navigator, &"locks".into()).ok()?;
    locks.is_object().then_some(locks)
}

async fn request(locks: &JsValue, name: &str, options: &Object) -> Js<Option<Lock>> {
    let mut release = None;
    let held = Promise::new(&mut |resolve, _| release = Some(resolve));
    let mut outcome: Js<()> = Ok(());
    let granted = Promise::new(&mut |resolve, reject| {
        // Called with the lock, or with null where it is not available.
        let held = held.clone();
        let on_grant = Closure::once_into_js(move |lock: JsValue| -> JsValue {
            let _ = resolve.call1(&JsValue::UNDEFINED, &lock);
            if lock.is_null() { JsValue::UNDEFINED } else { held.into() }
        });
        outcome = (|| {
            let request = Reflect::get(locks, &"request".into())?.dyn_into::<Function>()?;
            let ended = request.call3(locks, &name.into(), options, &on_grant)?;
            let ended = JsFuture::from(ended.dyn_into::<Promise>()?);
            spawn_local(async move {
                // It is rejected if the signal is aborted before the lock is granted.
                if let Err(exception) = ended.await {
                    let _ = reject.call1(&JsValue::UNDEFINED, &exception);
                }
            });
            Ok(())
        })();
    });
    outcome?;
    let lock = JsFuture::from(granted).await?;
    Ok(release.filter(|_| !lock.is_null()).map(|release| Lock { release }))
}
