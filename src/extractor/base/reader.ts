// Owns what reading a base needs of a place where its files lie.

/** Reads the file at a path relative to the base, if it has at most `maxBytes`. */
export type ReadFile = (path: string, maxBytes: number) => Promise<Uint8Array>

export interface Reader {
  readonly read: ReadFile
  /** Of the file that describes the base, or is it. */
  readonly name: string
}
