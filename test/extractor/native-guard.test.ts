// onnxruntime aborts its process when a thread is stopped while it computes there. A process of its
// own runs batches that take longer than it lives.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../support/cli.js'

const BATCH = 128
/** On any number of cores, so that most of the batches have to wait. */
const THREADS = 2

const script = (end: string): string => `
const load = (path) => import(${JSON.stringify(pathToFileURL(join(PROJECT, 'dist/')).href)} + path)
const { compileBaseInThread, createEnginePool } = await load('src/extractor/engines/pool.js')
const { onnxBaseOf } = await load('src/extractor/compile/load.js')
const { DEFAULT_ENGINE_SETTINGS } = await load('src/extractor/engine-settings.js')
const { makeProbeBase, PROBE_CUT, PROBE_SIZE } = await load('src/extractor/probe-base.js')
const { probeInputSpec } = await load('src/extractor/probe-inputs.js')
const base = makeProbeBase()
const pool = createEnginePool({
  base: onnxBaseOf(base.baseId, (await compileBaseInThread(base)).bytes),
  engine: 'onnxruntime',
  settings: { ...DEFAULT_ENGINE_SETTINGS, device: 'cpu' },
  precision: 'fp32',
  cut: PROBE_CUT,
  pooling: 'none',
  fixedBatch: null,
  input: probeInputSpec([PROBE_SIZE, PROBE_SIZE, 3]),
}, { threads: ${THREADS} })
const forward = () =>
  pool.forward({ data: new Uint8Array(${BATCH} * PROBE_SIZE * PROBE_SIZE * 3), count: ${BATCH} })
await forward()
const under = Array.from({ length: 8 }, () => forward().then(() => 'done', ({ code }) => code))
// Long enough for the first batches to be in the threads.
await new Promise((resolve) => setTimeout(resolve, 60))
${end}
`

const run = async (end: string) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script(end)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    texts.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    texts.stderr += chunk
  })
  const [code, signal] = await once(child, 'close')
  return { code, signal, ...texts }
}

describe('a process whose engine threads are in the middle of a batch', () => {
  it('closes them after it: what ran is done, what waited is refused', async () => {
    const { code, signal, stdout, stderr } = await run(
      'await pool.close(); console.log(JSON.stringify(await Promise.all(under)))',
    )
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' })
    const answers = JSON.parse(stdout)
    expect(answers).toHaveLength(8)
    expect(answers).toContain('ENGINE_FAILED')
  })

  it.each([
    ['exits with its own code', 'process.exit(7)', 7, ''],
    ['ends by an error of its own', "throw new Error('of its own')", 1, 'of its own'],
  ])('%s', async (_what, end, expected, says) => {
    const { code, signal, stderr } = await run(end)
    expect({ code, signal }).toEqual({ code: expected, signal: null })
    expect(stderr).toContain(says)
    expect(stderr).not.toContain('terminate called')
  })
})
