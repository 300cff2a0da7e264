// Owns the contract by which training reads features: rows in key order, cut into chunks, whether they
// lie in memory or are streamed. Knows no label.

/** Rows [begin, end) of a source. */
export interface Chunk {
  readonly begin: number
  readonly end: number
}

export interface LoadedChunk {
  readonly chunk: Chunk
  /** One block a view, [end - begin, width] row-major; valid until the next chunk is asked for. */
  readonly views: readonly Float32Array[]
}

/** Features of the same samples in one or more views; view 0 is the plain sample. Borrowed, never written to. */
export interface FeatureSource {
  readonly rows: number
  readonly width: number
  readonly viewCount: number
  /** Without gaps, in row order: the shards, so that what is trained does not depend on memory. */
  readonly chunks: readonly Chunk[]
  /** One block a view, [rows, width], where all features are in memory. */
  readonly resident: readonly Float32Array[] | null
  /**
   * Chunks in an order, the next ones being read meanwhile.
   *
   * @param order indices of chunks.
   * @param views how many views are read, from view 0 on.
   * @throws FEATURES_CORRUPT, STORE_UNAVAILABLE.
   */
  read(order: Iterable<number>, views: number): AsyncIterable<LoadedChunk>
}

/**
 * Features that are in memory.
 *
 * @param views one block a view, [rows, width] row-major.
 * @param ends where each chunk ends; without it all rows are one chunk.
 */
export const residentSource = (
  views: readonly Float32Array[],
  width: number,
  ends?: readonly number[],
): FeatureSource => {
  const rows = width > 0 ? (views[0]?.length ?? 0) / width : 0
  const chunks = (ends ?? [rows]).map((end, index, all) => ({ begin: all[index - 1] ?? 0, end }))
  return {
    rows,
    width,
    viewCount: views.length,
    chunks,
    resident: views,
    read: async function* (order, wanted) {
      for (const index of order) {
        const chunk = chunks[index]
        if (chunk === undefined) throw new RangeError(`there is no chunk ${index}`)
        const cut = (view: Float32Array) => view.subarray(chunk.begin * width, chunk.end * width)
        yield { chunk, views: views.slice(0, wanted).map(cut) }
      }
    },
  }
}
