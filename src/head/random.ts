// Owns the one source of randomness in training: keyed streams that repeat on every machine.
// Refuses ambient randomness: nothing in head/ calls Math.random.
import { sha256 } from '../identity/hash.js'

/** One stream of pseudo-random numbers. */
export interface Random {
  /** The next integer, uniform in 0 .. 2^32 - 1. */
  uint32(): number
  /** The next number, uniform in [0, 1), a multiple of 2^-24 (exact in float32). */
  float(): number
  /** The next integer, uniform in 0 .. n - 1 without bias; n in 1 .. 2^32. */
  below(n: number): number
}

const rotateLeft = (x: number, k: number): number => (x << k) | (x >>> (32 - k))

/**
 * A stream for a key, e.g. `createRandom(seed, 'order', epoch)`: xoshiro128** (Blackman and Vigna,
 * "Scrambled linear pseudorandom number generators", 2018), its state the first 128 bits of the
 * key's SHA-256. Streams of different keys are independent, so no stream has to be stored to resume.
 */
export const createRandom = (...key: readonly (number | string)[]): Random => {
  const state = Buffer.from(sha256(JSON.stringify(key)).slice(0, 32), 'hex')
  let a = state.readInt32LE(0)
  let b = state.readInt32LE(4)
  let c = state.readInt32LE(8)
  let d = state.readInt32LE(12)
  const uint32 = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotateLeft(d, 11)
    return result
  }
  return {
    uint32,
    float: () => (uint32() >>> 8) / 2 ** 24,
    below: (n) => {
      const limit = 2 ** 32 - (2 ** 32 % n)
      let value = uint32()
      while (value >= limit) value = uint32()
      return value % n
    },
  }
}

/** 0 .. n - 1 in a random order (Fisher and Yates; Durstenfeld 1964). */
export const permutation = (n: number, random: Random): Uint32Array => {
  const order = Uint32Array.from({ length: n }, (_, index) => index)
  for (let last = n - 1; last > 0; last -= 1) {
    const other = random.below(last + 1)
    const value = order[last] as number
    order[last] = order[other] as number
    order[other] = value
  }
  return order
}
