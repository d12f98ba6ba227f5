// The browser's own database of conversations. Where it is refused (private
// mode, site data off) the same calls work in memory, and end with the page.

const NAME = "pagelm-chats";
const VERSION = 1;
/** Store → the index beside its key `id`. */
const STORES = { conversations: "updated", messages: "conversation", presets: null };

/**
 * @typedef {object} Database
 * @property {boolean} kept whether what is put outlives the page
 * @property {(store: string) => Promise<object[]>} all
 * @property {(store: string, id: string) => Promise<object | undefined>} get
 * @property {(store: string, value: any) => Promise<object[]>} where those whose indexed field is `value`
 * @property {(store: string, ...records: object[]) => Promise<void>} put all of them or none
 * @property {(keys: [store: string, id: string][]) => Promise<void>} remove all of them or none
 */

/** @returns {Promise<Database>} */
export async function openDatabase() {
  try {
    return new Stored(await open());
  } catch {
    return new Unstored();
  }
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      for (const [store, index] of Object.entries(STORES)) {
        const made = request.result.createObjectStore(store, { keyPath: "id" });
        if (index) made.createIndex(index, index);
      }
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

class Stored {
  kept = true;
  #database;

  constructor(database) {
    this.#take(database);
  }

  #take(database) {
    this.#database = database;
    // A newer version of the page in another tab may want to change the stores.
    database.onversionchange = () => database.close();
    database.onclose = () => (this.#database = null);
  }

  all(store) {
    return this.#read(store, (source) => source.getAll());
  }

  get(store, id) {
    return this.#read(store, (source) => source.get(id));
  }

  where(store, value) {
    return this.#read(store, (source) => source.index(STORES[store]).getAll(value));
  }

  put(store, ...records) {
    return this.#write([store], (transaction) => records.forEach((record) => transaction.objectStore(store).put(record)));
  }

  remove(keys) {
    const stores = [...new Set(keys.map(([store]) => store))];
    if (stores.length === 0) return Promise.resolve();
    return this.#write(stores, (transaction) => keys.forEach(([store, id]) => transaction.objectStore(store).delete(id)));
  }

  async #read(store, ask) {
    const request = ask((await this.#transaction([store], "readonly")).objectStore(store));
    return new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }

  async #write(stores, change) {
    const transaction = await this.#transaction(stores, "readwrite");
    change(transaction);
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
  }

  /** Browsers close a database at times, on their own: then it is opened again. */
  async #transaction(stores, mode) {
    try {
      return this.#database.transaction(stores, mode);
    } catch {
      this.#take(await open());
      return this.#database.transaction(stores, mode);
    }
  }
}

class Unstored {
  kept = false;
  #stores = Object.fromEntries(Object.keys(STORES).map((store) => [store, new Map()]));

  async all(store) {
    return [...this.#stores[store].values()].map((record) => structuredClone(record));
  }

  async get(store, id) {
    return structuredClone(this.#stores[store].get(id));
  }

  async where(store, value) {
    return (await this.all(store)).filter((record) => record[STORES[store]] === value);
  }

  async put(store, ...records) {
    for (const record of records) this.#stores[store].set(record.id, structuredClone(record));
  }

  async remove(keys) {
    for (const [store, id] of keys) this.#stores[store].delete(id);
  }
}
