// Owns the inputs of the check as files of the export, with what the run predicts of them, so that whoever
// loads the models elsewhere can compare. NumPy's format: every library reads it. Bounded in bytes.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SampleFiles } from './card-files.js'
import type { Expected } from './export-check.js'

/** All inputs together: eight images of 224 x 224 fit, a sample of millions of values does not. */
export const MAX_SAMPLE_BYTES = 8 * 2 ** 20

const FOLDER = 'samples'
const MAGIC = Buffer.from('\x93NUMPY\x01\x00', 'latin1')
/** The values begin at a multiple of this (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). */
const ALIGNMENT = 64

/** float32 values, little-endian and row-major, as a .npy file of version 1.0. */
export const npyOf = (values: Float32Array, shape: readonly number[]): Buffer => {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`
  const before = MAGIC.length + 2
  const length = Math.ceil((before + header.length + 1) / ALIGNMENT) * ALIGNMENT - before
  const size = Buffer.alloc(2)
  size.writeUInt16LE(length)
  const text = Buffer.from(`${header.padEnd(length - 1)}\n`, 'latin1')
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  return Buffer.concat([MAGIC, size, text, bytes])
}

const joined = (parts: readonly Float32Array[]): Float32Array => {
  const width = parts[0]?.length ?? 0
  const all = new Float32Array(width * parts.length)
  for (const [i, part] of parts.entries()) all.set(part, i * width)
  return all
}

const bytesOf = ({ input, features }: Expected): number => 4 * (input.length + features.length)

/**
 * Writes `samples/input.npy`, `features.npy` and `expected.npy`: as many of the inputs as fit.
 *
 * @param expected inputs in the order of axes that the composed models take.
 * @returns null where not one of them fits.
 */
export const writeSamples = async (
  folder: string,
  expected: readonly Expected[],
  shapes: { readonly input: readonly number[]; readonly features: readonly number[] },
): Promise<SampleFiles | null> => {
  const [first] = expected
  if (first === undefined) return null
  const count = Math.min(expected.length, Math.floor(MAX_SAMPLE_BYTES / bytesOf(first)))
  if (count === 0) return null
  const taken = expected.slice(0, count)
  await mkdir(join(folder, FOLDER))
  const save = async (name: string, values: Float32Array[], shape: readonly number[]) => {
    const path = `${FOLDER}/${name}.npy`
    await writeFile(join(folder, path), npyOf(joined(values), [count, ...shape]))
    return path
  }
  const inputs = taken.map(({ input }) => input)
  const features = taken.map((row) => row.features)
  const outputs = taken.map((row) => row.outputs)
  return {
    count,
    input: await save('input', inputs, shapes.input),
    features: await save('features', features, shapes.features),
    expected: await save('expected', outputs, [first.outputs.length]),
  }
}
