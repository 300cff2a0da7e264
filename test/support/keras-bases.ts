// Owns bases made by the real Keras 3 in Python, with an input and what Keras computes of it.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeFolder } from './folders.js'
import { sizeOfShape } from './graph-models.js'
import { findPython } from './python.js'

const SCRIPT = 'test/support/keras_bases.py'

export interface KerasBase {
  /** A class of keras.applications, or `translated`: what TF.js lacks, in a small model. */
  readonly family: string
  /** Pixels along both sides of the input. */
  readonly size: number
}

/** Writes all of them. The event loop goes on: it takes seconds. @returns the folder of each family. */
export const writeKerasBases = async (
  bases: readonly KerasBase[],
): Promise<ReadonlyMap<string, string>> => {
  const folder = await makeFolder()
  const env = { ...process.env, KERAS_BACKEND: 'numpy', OMP_NUM_THREADS: '1' }
  await promisify(execFile)(findPython(), [SCRIPT, folder, JSON.stringify(bases)], { env })
  return new Map(bases.map(({ family }) => [family, join(folder, family)]))
}

interface Described {
  readonly samples: number
  readonly input: readonly number[]
  readonly cuts: readonly { readonly path: string; readonly shape: readonly number[] }[]
}

/** The input, batch first, and what Keras gives at some layers. */
export const loadExpected = async (folder: string) => {
  const text = await readFile(join(folder, 'expected.json'), 'utf8')
  const { samples, input, cuts } = JSON.parse(text) as Described
  const bytes = await readFile(join(folder, 'expected.bin'))
  const values = new Float32Array(new Uint8Array(bytes).buffer)
  let offset = 0
  const take = (of: readonly number[]) => {
    const shape = [samples, ...of]
    const start = offset
    offset += sizeOfShape(shape)
    return { x: values.slice(start, offset), shape }
  }
  return { input: take(input), cuts: cuts.map(({ path, shape }) => ({ path, ...take(shape) })) }
}
