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
// { database, store, key, text, length }: the value as JSON without its bytes,
// and how many bytes it holds. Of models in files, each record as { key, file, at, length }.
async function storedRecords() {
  const records = [];
  for (const { name } of await indexedDB.databases()) {
    const database = await settled(indexedDB.open(name));
    for (const store of database.objectStoreNames) {
      const source = database.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([settled(source.getAllKeys()), settled(source.getAll())]);
      keys.forEach((key, i) => {
        records.push(...recordsInFile(values[i]));
        const text = JSON.stringify(values[i], (_, part) => (part instanceof ArrayBuffer || ArrayBuffer.isView(part) ? undefined : part));
        records.push({ database: name, store, key, text, length: values[i] instanceof Blob ? values[i].size : (bytesOf(values[i])?.length ?? 0) });
      });
    }
    database.close();
  }
  return records;
}

function recordsInFile({ backend, url, id, records }) {
  if (backend !== "opfs") return [];
  let end = 0;
  return records.map(({ bytes }, i) => ({ key: [url, id, i], file: `${id}`, at: (end += bytes) - bytes, length: bytes }));
}

// The folder of models in files, made if need be.
async function modelFolder() {
  return (await navigator.storage.getDirectory()).getDirectoryHandle("pagelm", { create: true });
}

// The names of the files in it.
async function modelFiles() {
  const names = [];
  for await (const name of (await modelFolder()).keys()) names.push(name);
  return names;
}

// Damages the stored record with this key: flips one bit in the middle of its
// bytes, cuts its bytes short, or deletes it; in a file, these bytes then read as zeros.
async function damage({ database, store, key, file, at, length }, how) {
  if (file) return damageFile(await (await modelFolder()).getFileHandle(file), at, length, how);
  if (how === "delete") return committed(database, store, (target) => target.delete(key));
  await replaced(database, store, key, (value) => (value instanceof Blob ? blobOf(value, how) : changeBytes(value, how)));
}

async function blobOf(blob, how) {
  return new Blob([changeBytes(await blob.arrayBuffer(), how)]);
}

// Stores every record that is a Blob as an ArrayBuffer; how many there are.
async function asArrayBuffers() {
  const records = (await storedRecords()).filter(({ file, length }) => !file && length > 0);
  for (const { database, store, key } of records) await replaced(database, store, key, (blob) => blob.arrayBuffer());
  return records.length;
}

// Puts what `change` makes of a value in its place.
async function replaced(database, store, key, change) {
  const open = await settled(indexedDB.open(database));
  const value = await settled(open.transaction(store).objectStore(store).get(key));
  open.close();
  // Of a Blob the bytes come when the transaction that brought it is over.
  const bytes = await change(value);
  await committed(database, store, (target) => (target.keyPath === null ? target.put(bytes, key) : target.put(bytes)));
}

// Makes a change in a transaction of its own, to its end: a page that is closed before takes the change with it.
async function committed(database, store, change) {
  const open = await settled(indexedDB.open(database));
  const transaction = open.transaction(store, "readwrite");
  const kept = new Promise((resolve, reject) => Object.assign(transaction, { oncomplete: resolve, onabort: () => reject(transaction.error) }));
  change(transaction.objectStore(store));
  await kept;
  open.close();
}

async function damageFile(handle, at, length, how) {
  const bytes = new Uint8Array(await (await handle.getFile()).slice(at, at + length).arrayBuffer());
  if (how === "flip a bit") bytes[length >> 1] ^= 1;
  else bytes.fill(0, how === "shorten" ? length - 1 : 0);
  const writable = await handle.createWritable({ keepExistingData: true });
  await writable.write({ type: "write", position: at, data: bytes });
  await writable.close();
}

// The weights of a record: the value itself, or the field of it that is binary.
function bytesOf(value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  const field = binaryField(value);
  return field === undefined ? undefined : bytesOf(value[field]);
}

function binaryField(value) {
  const isBinary = (field) => value[field] instanceof ArrayBuffer || ArrayBuffer.isView(value[field]);
  const fields = typeof value === "object" && value !== null ? Object.keys(value).filter(isBinary) : [];
  return fields.sort((a, b) => value[b].byteLength - value[a].byteLength)[0];
}

function changeBytes(value, how) {
  const bytes = bytesOf(value).slice();
  bytes[bytes.length >> 1] ^= 1;
  const changed = how === "shorten" ? bytes.slice(0, -1) : bytes;
  if (value instanceof ArrayBuffer) return changed.buffer;
  if (ArrayBuffer.isView(value)) return changed;
  const field = binaryField(value);
  return { ...value, [field]: value[field] instanceof ArrayBuffer ? changed.buffer : changed };
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

Object.assign(globalThis, { load, attempt, collect, textOf, storedRecords, damage, asArrayBuffers, modelFolder, modelFiles });
try {
  Object.assign(globalThis, await import("./pkg/pagelm.js"));
  globalThis.helpersReady = true;
} catch (error) {
  globalThis.helpersReady = String(error);
}
