// Owns the features that are open: opened once, kept for whoever goes over them next as far as memory
// allows, and closed together. Knows no head.
import type { FeatureSet } from '../features/feature-set.js'
import type { OpenFeatures } from '../features/open-features.js'
import { widthOf } from '../features/shard.js'
import type { JsonValue } from '../identity/canonical-json.js'
import { type Sha256, sha256OfJson } from '../identity/hash.js'

/** Features that somebody else closes. */
export type KeptFeatures = Omit<OpenFeatures, 'close'>

/** Opened anew, and the feature sets that they were opened from: a repair may have changed them. */
export interface FreshFeatures {
  readonly features: OpenFeatures
  readonly sets: readonly FeatureSet[]
}

export interface FeatureKeeper {
  /**
   * Features of these views, or of more views that leave out the same samples. They stay open until
   * `close`, or until features that do not fit beside them are opened: use one at a time.
   *
   * @param sets one a view, view 0 first.
   * @param load opens them within so many bytes.
   * @throws the errors of `load`.
   */
  open(
    sets: readonly FeatureSet[],
    load: (budgetBytes: number) => Promise<FreshFeatures>,
  ): Promise<KeptFeatures>
  /** What `open` would give without opening anything; null: it would open. */
  find(sets: readonly FeatureSet[]): KeptFeatures | null
  /** Resolves when nothing is open and nothing is being read any more. It can be used again. */
  close(): Promise<void>
}

interface Entry {
  /** One a view: the bytes, not only the ids, as features may have been extracted anew since. */
  readonly names: readonly Sha256[]
  readonly leftOut: string
  readonly bytes: number
  readonly features: OpenFeatures
}

const nameOf = (set: FeatureSet): Sha256 => sha256OfJson({ ...set } as JsonValue)

/** The samples that are in quarantine in any view, as text. */
export const leftOutOf = (sets: readonly FeatureSet[]): string =>
  [...new Set(sets.flatMap(({ quarantine }) => quarantine.map(({ key }) => key)))].sort().join()

/** What features take when all of them lie in memory, while their shards are read. */
const residentBytesOf = (sets: readonly FeatureSet[]): number => {
  const values = sets.reduce((sum, { rows, featureShape }) => sum + rows * widthOf(featureShape), 0)
  const largest = sets.reduce(
    (most, { shards }) => shards.reduce((max, { bytes }) => Math.max(max, bytes), most),
    0,
  )
  // A shard's buffer; what a store is asked for comes beside it.
  return values * Float32Array.BYTES_PER_ELEMENT + 2 * largest
}

/** Buffers of streamed features take whatever they may: nothing is kept beside them. */
const bytesOf = ({ source: { resident } }: OpenFeatures): number =>
  resident === null
    ? Number.POSITIVE_INFINITY
    : resident.reduce((sum, { byteLength }) => sum + byteLength, 0)

/** @param budgetBytes most memory of all that is open. Close it. */
export const createFeatureKeeper = (budgetBytes: number): FeatureKeeper => {
  /** Last used, last in the list. */
  let kept: readonly Entry[] = []
  const keptBytes = (): number => kept.reduce((sum, { bytes }) => sum + bytes, 0)
  const isFull = (needed: number): boolean => kept.length > 0 && keptBytes() + needed > budgetBytes

  const drop = async (dropped: Entry): Promise<void> => {
    kept = kept.filter((one) => one !== dropped)
    await dropped.features.close()
  }

  const find = (sets: readonly FeatureSet[]): KeptFeatures | null => {
    const names = sets.map(nameOf)
    const leftOut = leftOutOf(sets)
    const found = kept.find(
      (one) => one.leftOut === leftOut && names.every((name, view) => name === one.names[view]),
    )
    if (found === undefined) return null
    kept = [...kept.filter((one) => one !== found), found]
    return found.features
  }

  return {
    find,
    open: async (sets, load) => {
      const found = find(sets)
      if (found !== null) return found
      const needed = residentBytesOf(sets)
      // Before the next features are read: they may not fit beside these.
      while (isFull(needed)) await drop(kept[0] as Entry)
      const fresh = await load(budgetBytes - keptBytes())
      const { features } = fresh
      const [names, leftOut] = [fresh.sets.map(nameOf), leftOutOf(fresh.sets)]
      kept = [...kept, { names, leftOut, bytes: bytesOf(features), features }]
      return features
    },
    close: async () => {
      while (kept[0] !== undefined) await drop(kept[0])
    },
  }
}
