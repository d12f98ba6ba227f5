// Globals for code that the tests evaluate in a blank page.

// `PageLM.load`, remembered so that the page's end can be told from a leak.
async function load(url, options) {
  globalThis.lm = await PageLM.load(url, options);
  return globalThis.lm;
}

// What an attempt came to, in a form that crosses to the test: { value } or
// { error: { name, code, message, data, typed } }.
async function attempt(action) {
  try {
    return { value: await action() };
  } catch (error) {
    const { name, code, message, data } = error;
    return { error: { name, code, message, data, typed: error instanceof PageLMError } };
  }
}

// All chunks of a stream, with the time at which each came.
async function collect(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push({ ...chunk, at: performance.now() });
  return chunks;
}

// The text of streamed chunks, of either kind.
function textOf(chunks) {
  return chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? chunk.choices[0]?.text ?? "").join("");
}

// Every value of every store of every database of this origin, as
// { database, store, key, value }; for tests that look at what is stored.
async function storedRecords() {
  const records = [];
  for (const { name } of await indexedDB.databases()) {
    const database = await settled(indexedDB.open(name));
    for (const store of database.objectStoreNames) {
      const source = database.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([settled(source.getAllKeys()), settled(source.getAll())]);
      keys.forEach((key, i) => records.push({ database: name, store, key, value: values[i] }));
    }
    database.close();
  }
  return records;
}

// Puts `value` in place of a stored record.
async function overwrite({ database, store, key }, value) {
  const open = await settled(indexedDB.open(database));
  const target = open.transaction(store, "readwrite").objectStore(store);
  if (value === undefined) await settled(target.delete(key));
  else if (target.keyPath === null) await settled(target.put(value, key));
  else await settled(target.put(value));
  open.close();
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

Object.assign(globalThis, { load, attempt, collect, textOf, storedRecords, overwrite });
try {
  Object.assign(globalThis, await import("./pkg/pagelm.js"));
  globalThis.helpersReady = true;
} catch (error) {
  globalThis.helpersReady = String(error);
}
