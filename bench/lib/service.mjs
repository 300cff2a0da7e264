// Owns a Redis server and worker processes for the benchmarks: started, and ended by their ids.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBackend } from '../../dist/src/queue/backend.js'

const CLI = join(import.meta.dirname, '../../dist/src/cli/main.js')
const PORT = 28_401
const MAX_TRIES = 50

/** `redis-server` of the PATH, with nothing kept on disk. @returns its URL and how to stop it. */
export const startRedis = async () => {
  const child = spawn('redis-server', ['--port', String(PORT), '--save', ''], { stdio: 'ignore' })
  child.on('error', (error) => {
    throw new Error(`redis-server does not start: ${error.message}`)
  })
  const url = `redis://127.0.0.1:${PORT}`
  for (let tries = 1; ; tries += 1) {
    try {
      await (await openBackend(url)).close()
      break
    } catch (error) {
      if (tries === MAX_TRIES) throw error
    }
  }
  return {
    url,
    stop: async () => {
      child.kill()
      await once(child, 'exit')
    },
  }
}

/**
 * A worker process on the given cores (Linux `taskset`; undefined: all), ready to take jobs.
 *
 * @returns how to stop it.
 */
export const startWorkerProcess = async ({ kind, cwd, queue, store, cores }) => {
  const command = [process.execPath, CLI, 'worker', kind, '--json']
  const line = cores === undefined ? command : ['taskset', '-c', cores, ...command]
  const child = spawn(line[0], line.slice(1), {
    cwd,
    env: { ...process.env, HEADSTART_QUEUE: queue, HEADSTART_STORE: store },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  return async () => {
    child.kill()
    await once(child, 'exit')
  }
}

/** A folder that is gone after `work`. */
export const inFolder = async (work) => {
  const folder = await mkdtemp(join(tmpdir(), 'headstart-bench-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
