// Owns what registration found out about a TF.js base as ONNX: the compiled file, what it cannot
// compute, and how far the engines of that machine are apart.
import { z } from 'zod'
import { sha256Schema } from '../../features/shard.js'
import type { Sha256 } from '../../identity/hash.js'
import { getJson } from '../../store/json.js'
import type { Store, StoreKey } from '../../store/port.js'
import { GRAPH_VERSION } from '../onnx/graph-version.js'
import { ENGINES } from '../spec.js'

/** A layer or operation that the compiler does not know. */
export const unsupportedSchema = z.strictObject({ path: z.string(), className: z.string() })
export type Unsupported = z.infer<typeof unsupportedSchema>

/** One engine against TF.js on wasm, at one cut, over all inputs of one kind. */
export const driftSchema = z.strictObject({
  engine: z.enum(ENGINES),
  version: z.string(),
  device: z.string(),
  cut: z.string(),
  inputs: z.enum(['random', 'real']),
  samples: z.int().positive(),
  /** Of |feature - reference|. */
  maxAbs: z.number().nonnegative(),
  meanAbs: z.number().nonnegative(),
  /** maxAbs / the largest |reference| of the cut. */
  relative: z.number().nonnegative(),
})
export type Drift = z.infer<typeof driftSchema>

export const compiledRecordSchema = z.strictObject({
  version: z.literal(1),
  /** GRAPH_VERSION that made it. */
  graph: z.int().positive(),
  /** Null: there is no compiled form; `problem` says why. */
  file: z.strictObject({ sha256: sha256Schema, bytes: z.int().positive() }).nullable(),
  problem: z.string().nullable(),
  unsupported: z.array(unsupportedSchema),
  /** Cuts that the compiled form can compute. */
  cuts: z.array(z.string()),
  drift: z.array(driftSchema),
})
export type CompiledRecord = z.infer<typeof compiledRecordSchema>

export const compiledRecordKey = (baseId: Sha256): StoreKey =>
  `bases/${baseId}/compiled-${GRAPH_VERSION}.json`

/** @returns null when this version has not seen the base. */
export const loadCompiledRecord = (store: Store, baseId: Sha256): Promise<CompiledRecord | null> =>
  getJson(store, compiledRecordKey(baseId), compiledRecordSchema)
