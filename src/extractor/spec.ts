// Owns the extractor spec: everything that turns content bytes into features, complete and parsed.
// What is hashed is this spec and nothing else, so it has no optional member and no default.
import { z } from 'zod'
import { sha256Schema } from '../features/shard.js'
import type { Sha256 } from '../identity/hash.js'
import { extractorIdOf } from '../identity/ids.js'

export const KERNELS = ['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3'] as const
export const FITS = ['fill', 'cover', 'contain'] as const
export const POOLINGS = ['none', 'avg', 'max'] as const
/** What computes. `auto` is a request, never a part of a spec. */
export const ENGINES = ['wasm', 'tensorflow', 'onnxruntime', 'webgpu'] as const
export type EngineName = (typeof ENGINES)[number]
/** What a user may ask for. */
export const ENGINE_REQUESTS = ['auto', ...ENGINES] as const
export type EngineRequestName = (typeof ENGINE_REQUESTS)[number]
export const BASE_FORMATS = ['layers-model', 'graph-model', 'onnx', 'saved-model'] as const
export type BaseFormat = (typeof BASE_FORMATS)[number]
export type TfjsFormat = Extract<BaseFormat, 'layers-model' | 'graph-model'>
export const isTfjsFormat = (format: BaseFormat): format is TfjsFormat =>
  format === 'layers-model' || format === 'graph-model'
/** Arithmetic of the base; features are float32 in both. `fp32` is float32 throughout, no TF32. */
export const PRECISIONS = ['fp32', 'fp16'] as const
export type Precision = (typeof PRECISIONS)[number]

const channelTriple = z.tuple([z.number(), z.number(), z.number()])
const range = z.tuple([z.number().positive(), z.number().positive()])

/** Decoded pixel p (0..255) of channel c becomes float32(p * scale[c] + offset[c]). */
export const imageInputSchema = z.strictObject({
  kind: z.literal('image'),
  /** [height, width] in pixels. */
  size: z.tuple([z.int().positive().max(4096), z.int().positive().max(4096)]),
  fit: z.enum(FITS),
  kernel: z.enum(KERNELS),
  /** RGB 0..255 that transparent pixels and the bars of `contain` are laid on. */
  background: z.tuple([z.int().min(0).max(255), z.int().min(0).max(255), z.int().min(0).max(255)]),
  channels: z.enum(['rgb', 'bgr']),
  /** In the order of `channels`. */
  scale: channelTriple,
  offset: channelTriple,
})
export type ImageInput = z.infer<typeof imageInputSchema>

export const tensorInputSchema = z.strictObject({
  kind: z.literal('tensor'),
  dtype: z.literal('float32'),
  /** Shape of one sample. */
  shape: z.array(z.int().positive()),
})

/** View 0 is the plain sample; the others are drawn from (seed, index, sample key). */
export const viewSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('plain') }),
  z.strictObject({
    kind: z.literal('augmented'),
    index: z.int().min(1).max(1000),
    seed: z.int().nonnegative(),
    /** Mirror left and right with probability 1/2. */
    flip: z.boolean(),
    /** Random resized crop: range of the area (fraction) and of the aspect ratio; null: none. */
    crop: z.strictObject({ area: range, ratio: range }).nullable(),
    /** Each factor is drawn from [1 - x, 1 + x]. */
    brightness: z.number().min(0).max(1),
    contrast: z.number().min(0).max(1),
    saturation: z.number().min(0).max(1),
  }),
])
export type View = z.infer<typeof viewSchema>
export type AugmentedView = Extract<View, { kind: 'augmented' }>

export const extractorSpecSchema = z.strictObject({
  version: z.literal(1),
  base: z.strictObject({ id: sha256Schema, format: z.enum(BASE_FORMATS) }),
  cut: z.string(),
  /** `none` where the cut has no spatial axes, so that a pooling without effect makes no new id. */
  pooling: z.enum(POOLINGS),
  input: z.discriminatedUnion('kind', [imageInputSchema, tensorInputSchema]),
  view: viewSchema,
  engine: z.enum(ENGINES),
  precision: z.enum(PRECISIONS),
  /** Samples in every forward pass, the last one padded; null where the engine's bits do not depend on it. */
  fixedBatch: z.int().positive().nullable(),
  /** Shape of one feature. */
  featureShape: z.array(z.int().positive()),
})
export type ExtractorSpec = z.infer<typeof extractorSpecSchema>

export const extractorIdOfSpec = (spec: ExtractorSpec): Sha256 => extractorIdOf(spec)

export const extractorKey = (extractorId: Sha256): string => `extractors/${extractorId}.json`
