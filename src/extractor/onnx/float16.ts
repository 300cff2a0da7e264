// Owns rounding float32 to float16: to the nearest, ties to even, beyond its range to its largest.

const LARGEST = 65504
const bits = new Uint32Array(1)
const value = new Float32Array(bits.buffer)

/** Adds half of the last kept bit, or a little less, so that ties go to the even neighbour. */
const shiftRounded = (mantissa: number, shift: number): number =>
  (mantissa + (1 << (shift - 1)) - 1 + ((mantissa >>> shift) & 1)) >>> shift

/** @returns the 16 bits of the nearest float16 of a finite number. */
const toHalfBits = (number: number): number => {
  value[0] = Math.max(-LARGEST, Math.min(LARGEST, number))
  const from = bits[0] ?? 0
  const sign = (from >>> 16) & 0x8000
  const exponent = ((from >>> 23) & 0xff) - 127 + 15
  const mantissa = from & 0x7fffff
  // A carry out of the mantissa raises the exponent, which is what rounding up to a power of two means.
  if (exponent > 0) return sign | shiftRounded((exponent << 23) | mantissa, 13)
  // Below 2^-14 the leading one is written out; below 2^-25 nothing is left.
  return exponent < -10 ? sign : sign | shiftRounded(mantissa | 0x800000, 14 - exponent)
}

export const toHalves = (values: ArrayLike<number>): Uint16Array =>
  Uint16Array.from(values, toHalfBits)
