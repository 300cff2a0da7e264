// Owns the contract for reading objects that others put into a bucket: no recorded SHA-256, no rule
// for keys. Deliberately not in it: writing.

export interface SourceObject {
  /** Any text: whoever names files after it must check it. */
  readonly key: string
  readonly bytes: number
  /** Without quotes; changes whenever the object is replaced. '' where the server gives none. */
  readonly etag: string
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined
}

export type ConsumeObject<T> = (body: AsyncIterable<Uint8Array>, object: SourceObject) => Promise<T>

export interface ObjectSource {
  readonly bucket: string
  /** Tells buckets of equal name on different servers apart. */
  readonly place: string

  /** All objects whose key starts with the prefix, in the order of the server. */
  list(prefix: string, options?: ReadOptions): AsyncIterable<SourceObject>

  /** Null when there is none. */
  head(key: string, options?: ReadOptions): Promise<SourceObject | null>

  /**
   * Streams an object to `consume`, from its start again when the download broke off: what `consume`
   * did before that must not count. The object is the one whose bytes arrive.
   *
   * @returns null when there is none.
   */
  read<T>(key: string, consume: ConsumeObject<T>, options?: ReadOptions): Promise<T | null>

  close(): Promise<void>
}

/** Opens a bucket with the settings of the installation; the opener's owner closes it. */
export type OpenObjects = (bucket: string) => Promise<ObjectSource>
