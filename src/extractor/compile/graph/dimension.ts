// Owns sizes of axes that may depend on the input: products of a number and of named unknowns, so that
// the shapes which a graph computes (batch, height x width, ...) are known without running it.
import { refuse } from './refusal.js'

/** factor x the product of `symbols`, which are sorted. A plain number has none. */
export interface Dimension {
  readonly factor: number
  readonly symbols: readonly string[]
}

/** More never occur; without a bound, squaring a size again and again would double the list. */
const MAX_SYMBOLS = 8
/** TF.js computes shapes in int32, and no tensor has so many values. */
const MAX_FACTOR = 2 ** 31 - 1

export const fixed = (factor: number): Dimension => ({ factor, symbols: [] })
export const symbol = (name: string): Dimension => ({ factor: 1, symbols: [name] })

export const BATCH = symbol('batch')
export const ONE = fixed(1)

/** The number, or null where it depends on the input. */
export const sizeOf = ({ factor, symbols }: Dimension): number | null =>
  symbols.length === 0 ? factor : null

export const isOne = (dim: Dimension): boolean => sizeOf(dim) === 1

export const keyOf = ({ factor, symbols }: Dimension): string => [factor, ...symbols].join('*')

export const same = (a: Dimension, b: Dimension): boolean =>
  a.factor === b.factor &&
  a.symbols.length === b.symbols.length &&
  a.symbols.every((name, i) => name === b.symbols[i])

export const product = (dims: readonly Dimension[]): Dimension => {
  const symbols = dims.flatMap((dim) => dim.symbols).sort()
  const factor = dims.reduce((all, dim) => all * dim.factor, 1)
  if (symbols.length > MAX_SYMBOLS || Math.abs(factor) > MAX_FACTOR) refuse('a size without bounds')
  return { factor, symbols }
}

/** a / b where it is a whole size, else null. */
export const quotient = (a: Dimension, b: Dimension): Dimension | null => {
  const symbols = [...a.symbols]
  for (const name of b.symbols) {
    const at = symbols.indexOf(name)
    if (at < 0) return null
    symbols.splice(at, 1)
  }
  const factor = a.factor / b.factor
  return Number.isInteger(factor) ? { factor, symbols } : null
}

/** Makes unknowns. The same derivation of the same dimension gives the same unknown. */
export interface Symbols {
  fresh(): Dimension
  /** @param rule what is done to the dimension, for example the stride and kernel of a convolution. */
  derived(from: Dimension, rule: string): Dimension
}

export const createSymbols = (): Symbols => {
  const known = new Map<string, Dimension>()
  let count = 0
  const fresh = (): Dimension => {
    count += 1
    return symbol(`d${count}`)
  }
  return {
    fresh,
    derived: (from, rule) => {
      const key = `${keyOf(from)} ${rule}`
      const dim = known.get(key) ?? fresh()
      known.set(key, dim)
      return dim
    },
  }
}
