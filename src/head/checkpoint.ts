// Owns the state of a training between two epochs as bytes: versioned, hashed, bound to its training.
// Refuses nothing loudly: bytes that are broken or belong to another training decode to null.
import type { JsonValue } from '../identity/canonical-json.js'
import { sha256, sha256OfJson } from '../identity/hash.js'
import { sealBytes, unsealBytes } from './sealed-bytes.js'
import type { HeadSpec } from './spec.js'
import type { EpochMetrics, TrainingData } from './types.js'

/** Where a training keeps its state. Given by the caller; `clear` is for after publishing. */
export interface Checkpoint {
  load(): Promise<Uint8Array | null>
  /** Must be atomic: a crash leaves the old bytes or the new ones. */
  save(bytes: Uint8Array): Promise<void>
  clear(): Promise<void>
}

/** After epoch `epoch`. With (data, spec, seed) it determines all that follows, bit by bit. */
export interface CheckpointState {
  readonly epoch: number
  /** Optimizer steps done. */
  readonly step: number
  /** Epochs since the best one. */
  readonly waited: number
  /** 0 and null before a best epoch exists, or without early stopping. */
  readonly bestEpoch: number
  readonly bestValue: number | null
  readonly history: readonly EpochMetrics[]
  /** All weights of the model in order, moving statistics too. */
  readonly weights: readonly Float32Array[]
  readonly optimizer: readonly Float32Array[]
  /** Weights of the best epoch; empty when there is none. */
  readonly best: readonly Float32Array[]
}

const MAGIC = 'HSCKPT01'
const SAMPLED_ROWS = 256

/**
 * Identity of a training: spec, seed, labels, splits, shapes and up to 256 rows spread over each view
 * (all rows would cost seconds for gigabytes; callers name the checkpoint by run key anyway).
 */
export const trainingFingerprint = (data: TrainingData, spec: HeadSpec, seed: number): string => {
  const { rows, width, featureShape, target, features } = data
  const stride = Math.max(1, Math.floor(rows / SAMPLED_ROWS))
  const parts: Uint8Array[] = []
  for (const view of features.resident ?? []) {
    for (let row = 0; row < rows; row += stride) {
      const values = view.subarray(row * width, (row + 1) * width)
      parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    }
  }
  const facts = { spec, seed, rows, width, featureShape, target, views: features.viewCount }
  return sha256(
    sha256OfJson(facts as unknown as JsonValue),
    JSON.stringify(data.labels),
    data.splits.join(),
    ...parts,
  )
}

export const encodeCheckpoint = (fingerprint: string, state: CheckpointState): Uint8Array => {
  const { weights, optimizer, best, ...plain } = state
  const sizes = [weights, optimizer, best].map((list) => list.map((values) => values.length))
  const header = JSON.stringify({ fingerprint, sizes, ...plain })
  return sealBytes(MAGIC, header, [...weights, ...optimizer, ...best])
}

interface Header extends Omit<CheckpointState, 'weights' | 'optimizer' | 'best'> {
  readonly fingerprint: string
  readonly sizes: readonly [readonly number[], readonly number[], readonly number[]]
}

/** The state, or null when the bytes are broken, of another version, or of another training. */
export const decodeCheckpoint = (
  bytes: Uint8Array,
  fingerprint: string,
): CheckpointState | null => {
  const found = unsealBytes(MAGIC, bytes)
  if (found === null) return null
  const header = JSON.parse(found.header) as Header
  if (header.fingerprint !== fingerprint) return null
  const values = new Float32Array(found.numbers)
  let offset = 0
  const take = (lengths: readonly number[]): Float32Array[] =>
    lengths.map((length) => {
      offset += length
      return values.subarray(offset - length, offset)
    })
  const { fingerprint: _fingerprint, sizes, ...plain } = header
  return { ...plain, weights: take(sizes[0]), optimizer: take(sizes[1]), best: take(sizes[2]) }
}
