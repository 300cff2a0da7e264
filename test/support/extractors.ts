// Owns the way from a folder with a base to an Extractor on a real engine, as a test needs it.
import { afterAll } from 'vitest'
import type { BaseRecord } from '../../src/extractor/base/load.js'
import { loadBaseFor } from '../../src/extractor/base/load-for.js'
import { registerBase } from '../../src/extractor/base/register.js'
import type { ResolvedEngine } from '../../src/extractor/choose-engine.js'
import { ensureCompiled } from '../../src/extractor/compile/ensure.js'
import { type Extractor, openExtractor } from '../../src/extractor/extractor.js'
import { FIXED_BATCH } from '../../src/extractor/fixed-batch.js'
import { preprocessSchema } from '../../src/extractor/preprocess.js'
import { type ExtractorRequest, resolveExtractorSpec } from '../../src/extractor/resolve.js'
import type { EngineName } from '../../src/extractor/spec.js'
import { sha256 } from '../../src/identity/hash.js'
import { createFileStore } from '../../src/store/file.js'
import type { Store } from '../../src/store/port.js'
import { engineSettingsForTests } from './engines.js'
import { makeFolder } from './folders.js'

const opened: Extractor[] = []
afterAll(async () => {
  for (const extractor of opened) await extractor.close()
})

export interface RegisteredBase {
  readonly store: Store
  readonly base: BaseRecord
}

/** Registers a base into a store of its own. */
export const registerInNewStore = async (from: string): Promise<RegisteredBase> => {
  const store = createFileStore(await makeFolder())
  return { store, base: await registerBase(store, from) }
}

export const IMAGES: ExtractorRequest['content'] = { kind: 'image' }
export const rowsOfShape = (shape: readonly number[]): ExtractorRequest['content'] => ({
  kind: 'tensor',
  dtype: 'float32',
  shape,
})

export type OpenRequest = Pick<ExtractorRequest, 'cut'> &
  Partial<Omit<ExtractorRequest, 'base' | 'preprocess'>> & { readonly preprocess?: object }

/** As `auto` and `--engine` resolve it. */
export const engineNamed = (name: EngineName): ResolvedEngine => ({
  name,
  fixedBatch: FIXED_BATCH[name],
  precision: 'fp32',
})

/** One engine thread; closed at the end of the test file. */
export const openFor = async (
  { store, base }: RegisteredBase,
  { preprocess = {}, ...request }: OpenRequest,
): Promise<Extractor> => {
  const spec = resolveExtractorSpec({
    pooling: 'none',
    content: IMAGES,
    view: { kind: 'plain' },
    engine: engineNamed('wasm'),
    ...request,
    preprocess: preprocessSchema.parse(preprocess),
    base,
  })
  const settings = engineSettingsForTests
  if (spec.engine === 'onnxruntime') await ensureCompiled(store, base, { settings })
  const extractor = openExtractor(spec, await loadBaseFor(store, spec), { threads: 1, settings })
  opened.push(extractor)
  return extractor
}

export const bytesOfRow = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

/** Features of each content, in order; a reason in place of a row fails the test. */
export const featuresOf = async (
  extractor: Extractor,
  contents: readonly Uint8Array[],
): Promise<Float32Array[]> => {
  const rows = await extractor.rows(contents.map((content) => ({ key: sha256(content), content })))
  return rows.map((row) => {
    if (!row.ok) throw new Error(`no features: ${row.reason}`)
    return row.features
  })
}

/** Exact: tells 0 from -0 and every NaN from the others. */
export const bitsOf = (values: Float32Array): string =>
  Buffer.from(bytesOfRow(values)).toString('hex')
