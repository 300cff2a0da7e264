// Owns the state of many trainings between two epochs as bytes: versioned, hashed, bound to its request.
// Refuses nothing loudly: bytes that are broken or belong to other trainings decode to null.
import type { JsonValue } from '../../identity/canonical-json.js'
import { sha256, sha256OfJson } from '../../identity/hash.js'
import { trainingFingerprint } from '../checkpoint.js'
import { sealBytes, unsealBytes } from '../sealed-bytes.js'
import type { TogetherHead, TogetherRequest } from './types.js'
import type { Run } from './watch.js'

export interface State {
  /** Counts from 0. */
  readonly wave: number
  /** The last finished one of the wave. */
  readonly epoch: number
  readonly runs: readonly Omit<Run, 'copy'>[]
  /** Weights and moments of each group that still trains, as they lie. */
  readonly groups: readonly Float32Array[]
}

const MAGIC = 'HSFUSE02'

/** Identity of a request: heads, folds, halving, and of the data what a single training looks at. */
export const togetherFingerprint = (request: TogetherRequest, first: TogetherHead): string => {
  const { data, heads, folds, halving, maxParameters } = request
  const facts = {
    heads,
    folds: folds?.count ?? 0,
    halving: halving ?? null,
    maxParameters: maxParameters ?? null,
  }
  return sha256(
    trainingFingerprint(data, first.spec, first.seed),
    sha256OfJson(facts as unknown as JsonValue),
    folds?.of ?? new Uint8Array(0),
  )
}

/** What is written of a run: its arrays as their lengths, the numbers behind the header in this order. */
const headerOf = ({ history, waited, best, end, kept }: State['runs'][number]) => ({
  history,
  waited,
  end,
  best:
    best === null
      ? null
      : {
          epoch: best.epoch,
          value: best.value,
          sizes: best.weights.map((values) => values.length),
        },
  // A training that stopped early keeps the very weights of its best epoch.
  kept:
    kept === null ? null : kept === best?.weights ? 'best' : kept.map((values) => values.length),
})

interface Header {
  readonly fingerprint: string
  readonly wave: number
  readonly epoch: number
  readonly runs: readonly ReturnType<typeof headerOf>[]
  readonly groups: readonly number[]
}

export const encodeState = (fingerprint: string, state: State): Uint8Array => {
  const { wave, epoch, runs, groups } = state
  const header: Header = {
    fingerprint,
    wave,
    epoch,
    runs: runs.map(headerOf),
    groups: groups.map((values) => values.length),
  }
  const arrays = runs.flatMap(({ best, kept }) => [
    ...(best?.weights ?? []),
    ...(kept === null || kept === best?.weights ? [] : kept),
  ])
  return sealBytes(MAGIC, JSON.stringify(header), [...arrays, ...groups])
}

/** The state, or null when the bytes are broken, of another version, or of other trainings. */
export const decodeState = (bytes: Uint8Array, fingerprint: string): State | null => {
  const found = unsealBytes(MAGIC, bytes)
  if (found === null) return null
  const header = JSON.parse(found.header) as Header
  if (header.fingerprint !== fingerprint) return null
  const values = new Float32Array(found.numbers)
  let offset = 0
  const take = (length: number): Float32Array => {
    offset += length
    return values.subarray(offset - length, offset)
  }
  const runs = header.runs.map(({ best, kept, ...plain }) => {
    const bestRun =
      best === null ? null : { epoch: best.epoch, value: best.value, weights: best.sizes.map(take) }
    const own = Array.isArray(kept) ? kept.map(take) : null
    return { ...plain, best: bestRun, kept: kept === 'best' ? (bestRun?.weights ?? null) : own }
  })
  const { wave, epoch } = header
  return { wave, epoch, runs, groups: header.groups.map(take) }
}
