// Owns the inputs on which engines are compared and timed: seeded noise, and photographs of this package.
import { readFile } from 'node:fs/promises'
import { packageRoot } from '../features/worker-url.js'
import { sha256 } from '../identity/hash.js'
import { decodeImage } from './decode.js'
import { type EngineInput, TRIAL_SIDE } from './engines/engine.js'
import type { ExtractorSpec, ImageInput } from './spec.js'

const PHOTOGRAPHS = ['astronaut', 'chelsea', 'coffee', 'rocket']
const NOISE_SAMPLES = 4
/** For other axes that may have any length. */
const DEFAULT_LENGTH = 16

export interface ProbeInputs {
  readonly kind: 'random' | 'real'
  /** [samples, ...input shape]; pixels or rows. */
  readonly data: EngineInput
  readonly samples: number
}

/** Marsaglia's xorshift32, uniform over 32-bit integers: the same inputs on every machine. */
export const createNoise = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

const imageInputOf = (size: readonly [number, number]): ImageInput => ({
  kind: 'image',
  size: [size[0], size[1]],
  fit: 'cover',
  kernel: 'linear',
  background: [255, 255, 255],
  channels: 'rgb',
  scale: [1 / 255, 1 / 255, 1 / 255],
  offset: [0, 0, 0],
})

/** What a probe of a base with this input shape takes: images where it can, else rows. */
export const probeInputSpec = (inputShape: readonly (number | null)[]): ExtractorSpec['input'] => {
  const [height, width, channels] = inputShape
  return inputShape.length === 3 && channels === 3
    ? imageInputOf([height ?? TRIAL_SIDE, width ?? TRIAL_SIDE])
    : {
        kind: 'tensor',
        dtype: 'float32',
        shape: inputShape.map((size) => size ?? DEFAULT_LENGTH),
      }
}

const randomInputs = (input: ExtractorSpec['input']): ProbeInputs => {
  const next = createNoise(1)
  const shape = input.kind === 'image' ? [...input.size, 3] : input.shape
  const length = NOISE_SAMPLES * shape.reduce((a, b) => a * b, 1)
  const data =
    input.kind === 'image'
      ? Uint8Array.from({ length }, () => next() >>> 24)
      : Float32Array.from({ length }, () => next() / 2 ** 31 - 1)
  return { kind: 'random', data, samples: NOISE_SAMPLES }
}

const realInputs = async (input: ImageInput): Promise<ProbeInputs> => {
  const folder = new URL('assets/probe-images/', packageRoot())
  const pixels = await Promise.all(
    PHOTOGRAPHS.map(async (name) => {
      const content = await readFile(new URL(`${name}.jpg`, folder))
      return decodeImage(content, sha256(content), input, { kind: 'plain' })
    }),
  )
  return { kind: 'real', data: new Uint8Array(Buffer.concat(pixels)), samples: pixels.length }
}

/** Noise for every base, photographs too for one that takes images. */
export const loadProbeInputs = async (input: ExtractorSpec['input']): Promise<ProbeInputs[]> => [
  randomInputs(input),
  ...(input.kind === 'image' ? [await realInputs(input)] : []),
]
