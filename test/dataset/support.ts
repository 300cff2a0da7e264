// Files for the tests of datasets: temporary folders, .npy bytes, a store in memory.
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'
import type { IndexRequest } from '../../src/dataset/build-dataset.js'
import { indexDataset } from '../../src/dataset/index-dataset.js'
import { datasetSpecSchema } from '../../src/dataset/spec.js'
import type { Dataset, OpenDataset } from '../../src/dataset/types.js'
import { HeadstartError } from '../../src/errors.js'
import { sha256 } from '../../src/identity/hash.js'
import type { ObjectInfo, Store } from '../../src/store/port.js'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

export const makeFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'headstart-dataset-'))
  folders.push(folder)
  return folder
}

/** Long enough ago for the hash cache to trust it. */
export const LONG_AGO = new Date('2020-01-02T03:04:05.678Z')

export const writeTree = async (
  root: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> => {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
    await utimes(path, LONG_AGO, LONG_AGO)
  }
}

export const makeTree = async (
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<string> => {
  const root = await makeFolder()
  await writeTree(root, files)
  return root
}

export const indexAt = async (
  from: string,
  spec: { target?: 'single' | 'multi' | 'regression'; labels?: string } = {},
  options: Partial<Omit<IndexRequest, 'spec'>> = {},
): Promise<OpenDataset> =>
  indexDataset({
    spec: datasetSpecSchema.parse({ from, ...spec }),
    cacheDir: options.cacheDir ?? (await makeFolder()),
    baseDir: tmpdir(),
    objects: async () => {
      throw new Error('this test has no S3')
    },
    ...options,
  })

export const byName = (dataset: Dataset) =>
  new Map(dataset.samples.flatMap((sample) => sample.names.map((name) => [name, sample])))

/** The error that a promise is rejected with. */
export const failureOf = async (promise: Promise<unknown>): Promise<HeadstartError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof HeadstartError) return error
  throw new Error(`expected a HeadstartError, got ${String(error)}`, { cause: error })
}

export const npyBytes = (
  { descr = '<f4', fortran = false, shape, version = 1 }: NpyParts,
  data: Uint8Array,
): Buffer => {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const order = fortran ? 'True' : 'False'
  const dict = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${tuple}, }`
  return npyWithHeader(dict, data, version)
}

export interface NpyParts {
  readonly descr?: string
  readonly fortran?: boolean
  readonly shape: readonly number[]
  readonly version?: number
}

export const npyWithHeader = (dict: string, data: Uint8Array, version = 1): Buffer => {
  const header = Buffer.from(`${dict}\n`, 'latin1')
  const length = Buffer.alloc(version === 1 ? 2 : 4)
  if (version === 1) length.writeUInt16LE(header.length)
  else length.writeUInt32LE(header.length)
  const magic = Buffer.from('\x93NUMPY', 'latin1')
  return Buffer.concat([magic, Buffer.from([version, 0]), length, header, data])
}

export const bytesOf = (values: Float32Array | Float64Array | Int32Array | BigInt64Array) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

export const createMemoryStore = (): Store & { readonly objects: Map<string, Uint8Array> } => {
  const objects = new Map<string, Uint8Array>()
  const infoOf = (key: string, content: Uint8Array): ObjectInfo => ({
    key,
    bytes: content.length,
    sha256: sha256(content),
    version: sha256(content),
  })
  return {
    objects,
    url: 'memory://',
    async putIfAbsent(key, content) {
      const existing = objects.get(key)
      if (existing === undefined) {
        objects.set(key, content)
        return 'created'
      }
      if (sha256(existing) === sha256(content)) return 'exists'
      throw new HeadstartError('STORE_CONFLICT', key)
    },
    async replace(key, content) {
      objects.set(key, content)
      return infoOf(key, content)
    },
    get: async (key) => objects.get(key) ?? null,
    getRange: async (key, start, length) =>
      objects.get(key)?.subarray(start, start + length) ?? null,
    async head(key) {
      const content = objects.get(key)
      return content === undefined ? null : infoOf(key, content)
    },
    async *list() {},
    async delete(key) {
      objects.delete(key)
    },
    async close() {},
  }
}
