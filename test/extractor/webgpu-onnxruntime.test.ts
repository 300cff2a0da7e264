// onnxruntime's WebGPU provider on SwiftShader, in a process of its own, because the library path is read
// when a process starts. Needs the driver that `node scripts/setup.mjs --tests` unpacks.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { PROJECT } from '../support/cli.js'
import {
  EXPECTED,
  expectedOf,
  FIXTURES,
  IMAGE_INPUT,
  maxDifference,
  PIXELS,
  SAMPLES,
} from '../support/onnx-models.js'
import { softwareGpu } from '../support/vulkan.js'

const TOLERANCE = 1e-4
/** Indexes of samples, a batch each; the first batch has them all. */
const BATCHES = [[0, 1, 2, 3, 4], [2], [4, 0], [3, 3, 1, 3, 0, 2, 4]]

/** Prints what each batch gave, and on what, as JSON. */
const SCRIPT = `
const [dist, file, cut, given] = process.argv.slice(1)
const load = (path) => import(new URL(path, dist).href)
const { readFile } = await import('node:fs/promises')
const { createEnginePool } = await load('src/extractor/engines/pool.js')
const { assembleOnnxBase, MODEL_ONNX } = await load('src/extractor/base/onnx-source.js')
const { DEFAULT_ENGINE_SETTINGS } = await load('src/extractor/engine-settings.js')
const { input, batches } = JSON.parse(given)
const pool = createEnginePool({
  base: assembleOnnxBase(new Map([[MODEL_ONNX, new Uint8Array(await readFile(file))]])),
  engine: 'onnxruntime', settings: { ...DEFAULT_ENGINE_SETTINGS, device: 'webgpu' },
  precision: 'fp32', cut, pooling: 'none', fixedBatch: null, input,
}, { threads: 1 })
const answers = []
for (const batch of batches) {
  const { values, shape, info } = await pool.forward({ data: Uint8Array.from(batch.flat()), count: batch.length })
  answers.push({ shape, info, rows: batch.map((_, i) => [...values.slice(i * values.length / batch.length, (i + 1) * values.length / batch.length)]) })
}
await pool.close()
process.stdout.write(JSON.stringify(answers))
`

interface Answer {
  readonly shape: number[]
  readonly info: { readonly engine: string; readonly device: string }
  readonly rows: readonly (readonly number[])[]
}

const pixelsOf = (sample: number): number[] => {
  const width = PIXELS.length / SAMPLES
  return [...PIXELS.subarray(sample * width, (sample + 1) * width)]
}

describe.each(Object.keys(EXPECTED.torch ?? {}))(
  'onnxruntime on the software GPU computes %s of a torch model',
  (cut) => {
    let answers: Answer[]
    beforeAll(async () => {
      const batches = BATCHES.map((batch) => batch.map(pixelsOf))
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          SCRIPT,
          pathToFileURL(join(PROJECT, 'dist/')).href,
          join(FIXTURES, 'torch.onnx'),
          cut,
          JSON.stringify({ input: IMAGE_INPUT, batches }),
        ],
        { env: { ...process.env, ...softwareGpu() }, maxBuffer: 64 * 1024 * 1024 },
      )
      answers = JSON.parse(stdout) as Answer[]
    })

    it('as torch does, to 1e-4', () => {
      const expected = expectedOf('torch', cut)
      expect(answers[0]?.shape).toEqual(expected.shape)
      expect(maxDifference(answers[0]?.rows.flat() ?? [], expected.values)).toBeLessThan(TOLERANCE)
      expect(answers[0]?.info).toMatchObject({ engine: 'onnxruntime', device: 'webgpu' })
    })

    it('with the same bits in any batch and at any position', () => {
      const [alone, ...others] = answers
      expect(others).toHaveLength(BATCHES.length - 1)
      others.forEach(({ rows }, i) => {
        expect(rows).toEqual(BATCHES[i + 1]?.map((sample) => alone?.rows[sample]))
      })
    })
  },
)
