// Owns the state of heads that are solved together as bytes: versioned, hashed, bound to their training.
// Refuses nothing loudly: bytes that are broken or belong to another training decode to null.
import { sealBytes, unsealBytes } from '../sealed-bytes.js'
import type { HeadProgress } from './head-run.js'
import type { Evaluation, LbfgsState } from './lbfgs.js'

const MAGIC = 'HSEXACT1'

interface Header {
  readonly fingerprint: string
  /** Values of every vector, in the order of `vectorsOf`. */
  readonly sizes: readonly number[]
  readonly heads: readonly (Pick<HeadProgress, 'history' | 'start' | 'ending'> & {
    /** Loss of the state; null where there is none. */
    readonly loss: number | null
    readonly corrections: number
    readonly told: readonly number[]
  })[]
}

const vectorsOf = ({ state, told }: HeadProgress): Float64Array[] => [
  ...(state === null ? [] : [state.point, state.gradient]),
  ...(state?.corrections ?? []).flatMap(({ point, gradient }) => [point, gradient]),
  ...told.map(({ gradient }) => gradient),
]

const headerOf = (fingerprint: string, heads: readonly HeadProgress[]): Header => ({
  fingerprint,
  sizes: heads.flatMap(vectorsOf).map(({ length }) => length),
  heads: heads.map(({ state, told, history, start, ending }) => ({
    loss: state?.loss ?? null,
    corrections: state?.corrections.length ?? 0,
    told: told.map(({ loss }) => loss),
    history,
    start,
    ending,
  })),
})

/** JSON has no NaN and no infinity, which a step that was too long may have met. */
const NOT_JSON = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
])

const toText = (_: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? { number: String(value) } : value

const fromText = (_: string, value: unknown): unknown =>
  value !== null && typeof value === 'object' && 'number' in value
    ? NOT_JSON.get(String(value.number))
    : value

export const encodeProgress = (fingerprint: string, heads: readonly HeadProgress[]): Uint8Array =>
  sealBytes(MAGIC, JSON.stringify(headerOf(fingerprint, heads), toText), heads.flatMap(vectorsOf))

/** The heads in their order, or null when the bytes are broken or of another training or version. */
export const decodeProgress = (bytes: Uint8Array, fingerprint: string): HeadProgress[] | null => {
  const found = unsealBytes(MAGIC, bytes)
  if (found === null) return null
  const header = JSON.parse(found.header, fromText) as Header
  if (header.fingerprint !== fingerprint) return null
  const values = new Float64Array(found.numbers)
  const sizes = header.sizes.values()
  let offset = 0
  const take = (): Float64Array => {
    const size = sizes.next().value ?? 0
    offset += size
    return values.slice(offset - size, offset)
  }
  const takeState = (loss: number | null, corrections: number): LbfgsState | null => {
    if (loss === null) return null
    const [point, gradient] = [take(), take()]
    const taken = Array.from({ length: corrections }, () => ({ point: take(), gradient: take() }))
    return { point, loss, gradient, corrections: taken }
  }
  return header.heads.map(({ loss, corrections, told, ...rest }) => {
    const state = takeState(loss, corrections)
    return {
      ...rest,
      state,
      told: told.map((value): Evaluation => ({ loss: value, gradient: take() })),
    }
  })
}
