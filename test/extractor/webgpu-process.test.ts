// The process of a webgpu engine, on SwiftShader: it ends with whoever started it, whatever ends that.
// Needs the driver that `node scripts/setup.mjs --tests` unpacks.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { isAlive } from '../../src/store/process-alive.js'
import { PROJECT } from '../support/cli.js'
import { type RegisteredBase, registerInNewStore } from '../support/extractors.js'
import { makeFolder, until } from '../support/folders.js'
import { TINY_SIDE, writeTinyBase } from '../support/tiny-base.js'
import { engineProcessesOf, openPool, softwareGpu } from '../support/vulkan.js'

const SHAPE = [TINY_SIDE, TINY_SIDE, 3]
const WIDTH = TINY_SIDE * TINY_SIDE * 3

/** Computes once, then so much that the GPU is busy until somebody ends it. */
const SCRIPT = `
const [dist, storeFolder, baseId, how] = process.argv.slice(1)
const load = (path) => import(new URL(path, dist).href)
const { createFileStore } = await load('src/store/file.js')
const { loadBase } = await load('src/extractor/base/load.js')
const { createEnginePool } = await load('src/extractor/engines/pool.js')
const { DEFAULT_ENGINE_SETTINGS } = await load('src/extractor/engine-settings.js')
const pool = createEnginePool({
  base: await loadBase(createFileStore(storeFolder), baseId), engine: 'webgpu', precision: 'fp32',
  settings: { ...DEFAULT_ENGINE_SETTINGS, device: 'webgpu' }, cut: 'pool', pooling: 'none',
  fixedBatch: 16, input: { kind: 'tensor', dtype: 'float32', shape: [${SHAPE}] },
}, { threads: 1 })
const compute = (count) => pool.forward({ data: new Float32Array(count * ${WIDTH}), count })
await compute(1)
const busy = how === 'ends' ? null : compute(20000).then(() => 'done', () => 'stopped')
process.stdout.write('ready\\n')
await new Promise((resolve) => process.stdin.once('end', resolve).resume())
if (how === 'exits') process.exit(7)
await pool.close()
process.stdout.write(await busy + '\\n')
`

const pidOf = (pid: number | undefined): number => {
  if (pid === undefined) throw new Error('there is no engine process')
  return pid
}

interface Running {
  readonly child: ChildProcess
  /** What it has printed. */
  readonly printed: () => string
  /** The id of its engine process, which computes. */
  engine(): Promise<number>
  /** Lets it go on. */
  goOn(): void
  readonly ended: Promise<{ code: number | null; stderr: string }>
}

const start = ({ store, base }: RegisteredBase, how: string): Running => {
  const folder = fileURLToPath(store.url)
  const given = [pathToFileURL(join(PROJECT, 'dist/')).href, folder, base.baseId, how]
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, ...given], {
    env: { ...process.env, ...softwareGpu() },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return {
    child,
    printed: () => stdout,
    engine: async () => {
      await until(async () => stdout.includes('ready'))
      const [pid, ...others] = engineProcessesOf(child.pid ?? 0)
      expect(others).toEqual([])
      return pidOf(pid)
    },
    goOn: () => child.stdin.end(),
    ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stderr })),
  }
}

describe('the process of a webgpu engine on the software GPU', () => {
  let base: RegisteredBase
  beforeAll(async () => {
    Object.assign(process.env, softwareGpu())
    base = await registerInNewStore(await writeTinyBase(join(await makeFolder(), 'base')))
  })

  it('ends when the pool is closed, and lets its owner end by itself', async () => {
    const run = start(base, 'ends')
    const engine = await run.engine()
    run.goOn()
    expect(await run.ended).toEqual({ code: 0, stderr: '' })
    await until(async () => !isAlive(engine))
  })

  it('ends when the pool is closed while it computes, and its owner goes on', async () => {
    const run = start(base, 'closes')
    const engine = await run.engine()
    run.goOn()
    expect(await run.ended).toEqual({ code: 0, stderr: '' })
    expect(run.printed()).toBe('ready\nstopped\n')
    await until(async () => !isAlive(engine))
  })

  it('ends when its owner exits while it computes, and the exit code is that of the owner', async () => {
    const run = start(base, 'exits')
    const engine = await run.engine()
    run.goOn()
    expect(await run.ended).toEqual({ code: 7, stderr: '' })
    await until(async () => !isAlive(engine))
  })

  it('ends when its owner is killed while it computes', async () => {
    const run = start(base, 'is killed')
    const engine = await run.engine()
    run.child.kill('SIGKILL')
    await run.ended
    await until(async () => !isAlive(engine))
  })

  it('is left alone by the Ctrl-C of a terminal: its owner decides', async () => {
    const pool = await openPool(base, { cut: 'pool', shape: SHAPE })
    await pool.forward({ data: new Float32Array(WIDTH), count: 1 })
    const [engine] = engineProcessesOf(process.pid)
    process.kill(pidOf(engine), 'SIGINT')
    const { values } = await pool.forward({ data: new Float32Array(WIDTH), count: 1 })
    expect(values).toHaveLength(4)
    await pool.close()
  })

  it('takes only itself down when it dies: the forward pass fails, and says how', async () => {
    const pool = await openPool(base, { cut: 'pool', shape: SHAPE })
    await pool.forward({ data: new Float32Array(WIDTH), count: 1 })
    const [engine] = engineProcessesOf(process.pid)
    const busy = pool.forward({ data: new Float32Array(20_000 * WIDTH), count: 20_000 })
    process.kill(pidOf(engine), 'SIGKILL')
    const death = { code: 'ENGINE_FAILED', message: expect.stringContaining('ended (SIGKILL)') }
    await expect(busy).rejects.toMatchObject(death)
    const next = pool.forward({ data: new Float32Array(WIDTH), count: 1 })
    await expect(next).rejects.toMatchObject(death)
  })
})
