// Owns the software GPU of the tests (SwiftShader) and opening the webgpu engine on it. Fails, never
// skips, where `node scripts/setup.mjs --tests` has not put it there.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { loadBase } from '../../src/extractor/base/load.js'
import {
  DEFAULT_ENGINE_SETTINGS,
  type EngineSettings,
} from '../../src/extractor/engine-settings.js'
import { createEnginePool, type EnginePool } from '../../src/extractor/engines/pool.js'
import { PROJECT } from './cli.js'
import type { RegisteredBase } from './extractors.js'

/** Written by scripts/setup/test-vulkan.mjs. */
const RECORD = join(PROJECT, '.cache/test-vulkan.json')

/** The environment of a process that is to find the software GPU and no other. */
export const softwareGpu = (): Readonly<Record<string, string>> => {
  try {
    return JSON.parse(readFileSync(RECORD, 'utf8')) as Record<string, string>
  } catch (cause) {
    throw new Error(`${RECORD} is missing: run \`node scripts/setup.mjs --tests\``, { cause })
  }
}

/** Of a process that finds no GPU at all. */
export const noGpu = (): Readonly<Record<string, string>> => ({
  ...softwareGpu(),
  VK_ICD_FILENAMES: join(PROJECT, 'no-such-driver.json'),
  VK_DRIVER_FILES: join(PROJECT, 'no-such-driver.json'),
})

/** A software adapter is taken only where the device is named. */
export const ON_WEBGPU: EngineSettings = { ...DEFAULT_ENGINE_SETTINGS, device: 'webgpu' }

const pools: EnginePool[] = []
afterAll(async () => {
  for (const pool of pools) await pool.close()
})

export interface PoolRequest {
  readonly cut: string
  readonly pooling?: 'none' | 'avg' | 'max'
  readonly engine?: 'wasm' | 'webgpu'
  /** Shape of one row of the input. */
  readonly shape: readonly number[]
}

/** One engine thread that takes rows; closed at the end of the test file. */
export const openPool = async (
  { store, base }: RegisteredBase,
  { cut, pooling = 'none', engine = 'webgpu', shape }: PoolRequest,
): Promise<EnginePool> => {
  const pool = createEnginePool(
    {
      base: await loadBase(store, base.baseId),
      engine,
      settings: engine === 'webgpu' ? ON_WEBGPU : DEFAULT_ENGINE_SETTINGS,
      precision: 'fp32',
      cut,
      pooling,
      fixedBatch: engine === 'webgpu' ? 16 : null,
      input: { kind: 'tensor', dtype: 'float32', shape: [...shape] },
    },
    { threads: 1 },
  )
  pools.push(pool)
  return pool
}

/** Processes of webgpu engines that `parent` started, by what Linux tells of its processes. */
export const engineProcessesOf = (parent: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [, ppid] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return Number(ppid) === parent && command.includes('workers/webgpu.js')
      } catch {
        // It ended while it was looked at.
        return false
      }
    })
    .map(Number)
