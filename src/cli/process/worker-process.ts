// Owns a worker process: one kind of worker on a shared queue, from its start to its last signal.
import { parseConfig } from '../../config.js'
import { HeadstartError } from '../../errors.js'
import type { CommonOptions } from '../context.js'
import { openConfigured, storeUrlOf } from '../open-workspace.js'
import { writeOut } from '../output.js'
import { isRedis } from '../service/choose.js'
import { type HealthAddress, startHealthServer } from './health.js'
import { liveUntilSignal } from './life.js'
import { startWorkers, type WorkerKind } from './workers.js'

const FAREWELL =
  'taking no more jobs, saving what is in hand; once more stops at once (rows not yet saved are lost)'

export interface WorkerProcessOptions extends CommonOptions {
  /** Undefined: none. */
  readonly health: HealthAddress | undefined
}

/** @throws CONFIG_INVALID without a queue that processes can share. */
export const runWorkerProcess = (kind: WorkerKind, options: WorkerProcessOptions): Promise<void> =>
  liveUntilSignal(FAREWELL, async (life) => {
    const config = parseConfig(process.env)
    if (!isRedis(config.queueUrl))
      throw new HeadstartError(
        'CONFIG_INVALID',
        'a worker process needs HEADSTART_QUEUE=redis://host:port; without Redis, `headstart up` has the workers',
      )
    let isReady = (): boolean => false
    const { health } = options
    const healthServer = health && (await startHealthServer(health, () => isReady()))
    if (healthServer) life.opened(() => healthServer.close())
    const workspace = await openConfigured(
      config,
      process.cwd(),
      storeUrlOf(options, config),
      options.device,
    )
    life.opened(() => workspace.close())
    const { openBackend } = await import('../../queue/backend.js')
    const backend = await openBackend(config.queueUrl)
    life.opened(() => backend.close())
    const workers = await startWorkers(life, { kinds: [kind], backend, workspace })
    isReady = () => workers.every((worker) => worker.isReady()) && !life.signal.aborted
    const engines = workers.flatMap((worker) => worker.engines)
    const ready = {
      worker: kind,
      queue: backend.url,
      store: workspace.store.url,
      engines,
      health: healthServer?.url ?? null,
      pid: process.pid,
    }
    const by = engines.length === 0 ? '' : `, engines ${engines.join(', ')}`
    const line = `${kind} worker ready: queue ${backend.url}, store ${workspace.store.url}${by}`
    await writeOut(options.json ? `${JSON.stringify(ready)}\n` : `${line}\n`)
  })
