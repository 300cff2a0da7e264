// Owns the contract of a store. Deliberately not in it: folders, streams, rename, partial writes.
// One conformance suite (test/contract/store.ts) runs on every adapter.

/** Keys are relative POSIX paths of [A-Za-z0-9._-] segments, none of them '.' or '..'. */
export type StoreKey = string

export interface ObjectInfo {
  readonly key: StoreKey
  /** Length in bytes. */
  readonly bytes: number
  /** SHA-256 recorded with the object when it was written, hex. */
  readonly sha256: string
  /** Opaque; changes whenever the object is replaced. */
  readonly version: string
}

export interface ListedObject {
  readonly key: StoreKey
  readonly bytes: number
  /** Milliseconds since the epoch; only garbage collection may look at it. */
  readonly modifiedMs: number
}

export interface Store {
  /** `file:///...` or `s3://bucket/prefix`, without credentials. */
  readonly url: string

  /**
   * Writes an object once. Equal content is success.
   *
   * @returns 'exists' when an object of equal content was there already.
   * @throws STORE_CONFLICT when the key holds other content.
   */
  putIfAbsent(key: StoreKey, content: Uint8Array): Promise<'created' | 'exists'>

  /**
   * Writes an object only over the version that was seen (`null`: only when there is none).
   *
   * @throws STORE_CONFLICT when somebody was faster.
   */
  replace(key: StoreKey, content: Uint8Array, seenVersion: string | null): Promise<ObjectInfo>

  /**
   * The whole object; length and SHA-256 are checked before it is returned.
   *
   * @returns null when there is none.
   * @throws STORE_CORRUPT when the bytes are not those recorded, or nothing was recorded.
   */
  get(key: StoreKey): Promise<Uint8Array | null>

  /** Part of an object, not verified. Shorter than `length` only at the end of the object. */
  getRange(key: StoreKey, start: number, length: number): Promise<Uint8Array | null>

  /** @throws STORE_CORRUPT when the object has no recorded SHA-256. */
  head(key: StoreKey): Promise<ObjectInfo | null>

  /** All objects whose key starts with the prefix, sorted by key. */
  list(prefix: string): AsyncIterable<ListedObject>

  /** Deleting what is not there is success. */
  delete(key: StoreKey): Promise<void>

  close(): Promise<void>
}
