// Owns a cluster of the tests: the service in this process, and worker processes of the compiled command
// line on the same Redis database and store. All are ended by their process ids, also when a test fails.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { afterAll } from 'vitest'
import { openWorkspace, type Workspace } from '../../src/experiment/workspace.js'
import { openBackend } from '../../src/queue/backend.js'
import type { QueueBackend } from '../../src/queue/port.js'
import { createService } from '../../src/queue/service.js'
import type { Service } from '../../src/queue/types.js'
import { makeFolder } from './folders.js'
import { startService } from './up.js'

export interface WorkerProcess {
  readonly pid: number
  /** What it printed on stderr so far. */
  log(): string
  /** Process ids of its living stage processes. */
  children(): readonly number[]
  /** To the worker alone: its children notice by themselves, or do not. */
  signal(name: NodeJS.Signals): void
  kill9(): Promise<void>
}

export interface ClusterOptions {
  /** `redis://127.0.0.1:port/database`: a database of its own. */
  readonly queue: string
  /** Of the workers, where they reach the queue another way than this process does. */
  readonly workerQueue?: string
  /** `file:///...` or `s3://bucket/prefix`. */
  readonly store: string
  readonly s3Endpoint?: string
  /** Of the workers, as above. */
  readonly workerS3Endpoint?: string
}

export interface Cluster {
  readonly service: Service
  readonly backend: QueueBackend
  readonly workspace: Workspace
  /** What a command of this cluster needs to be told. */
  readonly env: Readonly<Record<string, string>>
  start(kind: 'extract' | 'train'): Promise<WorkerProcess>
  /** Ends the workers and hangs up. */
  close(): Promise<void>
}

const childrenOf = (pid: number): readonly number[] => {
  const parse = (text: string): number[] => text.split(/\s+/).filter(Boolean).map(Number)
  try {
    if (existsSync('/proc/self/task'))
      return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
        parse(readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')),
      )
    return parse(execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' }))
  } catch {
    // It has none, or is gone.
    return []
  }
}

/** A process that has ended already is left alone. */
export const signalTo = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** @returns the process, and how to end it with all its children, stopped ones too. */
const startWorkerProcess = async (kind: 'extract' | 'train', env: Record<string, string>) => {
  const cwd = await makeFolder()
  const { cli } = await startService<unknown>(['worker', kind], { cwd, env })
  const pid = cli.child.pid as number
  const worker: WorkerProcess = {
    pid,
    log: cli.stderr,
    children: () => (cli.child.exitCode === null ? childrenOf(pid) : []),
    signal: (name) => signalTo(pid, name),
    kill9: async () => {
      cli.child.kill('SIGKILL')
      await cli.finished
    },
  }
  const end = async (): Promise<void> => {
    const isOver = cli.child.exitCode !== null || cli.child.signalCode !== null
    if (isOver) return
    for (const child of worker.children()) signalTo(child, 'SIGKILL')
    await worker.kill9()
  }
  return { worker, end }
}

const envOf = (queue: string, store: string, s3Endpoint: string | undefined) => ({
  HEADSTART_QUEUE: queue,
  HEADSTART_STORE: store,
  ...(s3Endpoint === undefined ? {} : { HEADSTART_S3_ENDPOINT: s3Endpoint }),
})

const open = new Set<Cluster>()
afterAll(async () => {
  for (const cluster of open) await cluster.close()
})

export const startCluster = async (options: ClusterOptions): Promise<Cluster> => {
  const { queue, store, s3Endpoint } = options
  const directory = await makeFolder()
  const s3 = s3Endpoint === undefined ? {} : { s3Endpoint }
  const workspace = await openWorkspace({ directory, cacheBytes: 2 ** 30, url: store, ...s3 })
  const backend = await openBackend(queue)
  const ends: (() => Promise<void>)[] = []
  const cluster: Cluster = {
    service: createService(backend, workspace),
    backend,
    workspace,
    env: envOf(queue, store, s3Endpoint),
    start: async (kind) => {
      const { workerQueue = queue, workerS3Endpoint = s3Endpoint } = options
      const { worker, end } = await startWorkerProcess(
        kind,
        envOf(workerQueue, store, workerS3Endpoint),
      )
      ends.push(end)
      return worker
    },
    close: async () => {
      open.delete(cluster)
      await Promise.all(ends.map((end) => end()))
      await backend.close()
      await workspace.close()
    },
  }
  open.add(cluster)
  return cluster
}
