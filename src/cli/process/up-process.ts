// Owns `headstart up`: API, queue and workers in one process tree, from the start to the last signal.

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Config, parseConfig } from '../../config.js'
import { assertNotAborted, HeadstartError } from '../../errors.js'
import type { Workspace } from '../../experiment/workspace.js'
import type { QueueBackend } from '../../queue/port.js'
import type { Service } from '../../queue/types.js'
import type { RunningWorker } from '../../queue/workers.js'
import { VERSION } from '../../version.js'
import type { CommonOptions } from '../context.js'
import { openConfigured, storeUrlOf } from '../open-workspace.js'
import { writeOut } from '../output.js'
import { findUp, removeUpRecord, type UpRecord, writeUpRecord } from '../service/up-record.js'
import { type Life, liveUntilSignal } from './life.js'
import { startWorkers, type WorkerKind } from './workers.js'

const FAREWELL =
  'taking no more requests, saving what is in hand; once more stops at once (rows not yet saved are lost)'
const TOKEN_BYTES = 32
const WORKERS = ['extract', 'train'] as const satisfies readonly WorkerKind[]

export interface UpOptions extends CommonOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly workers: boolean
}

/** Says it before anything is opened; the queue's folder refuses a second owner in any case. */
const assertFirst = async (folder: string): Promise<void> => {
  const up = await findUp(folder)
  if (up === null) return
  throw new HeadstartError(
    'QUEUE_OWNED',
    `\`headstart up\` serves this folder already: process ${up.pid} at ${up.url}`,
  )
}

interface Opened {
  readonly workspace: Workspace
  readonly backend: QueueBackend
  readonly service: Service
}

const openAll = async (
  life: Life,
  config: Config,
  options: UpOptions,
  folder: string,
): Promise<Opened> => {
  const workspace = await openConfigured(
    config,
    folder,
    storeUrlOf(options, config),
    options.device,
  )
  life.opened(() => workspace.close())
  const { openBackend } = await import('../../queue/backend.js')
  const backend = await openBackend(config.queueUrl ?? join(folder, '.headstart', 'queue'))
  life.opened(() => backend.close())
  const { createService } = await import('../../queue/service.js')
  const service = createService(backend, workspace)
  life.opened(() => service.close())
  return { workspace, backend, service }
}

const listen = async (
  life: Life,
  config: Config,
  { service, workspace, backend }: Opened,
  options: UpOptions,
  workers: readonly RunningWorker[],
): Promise<UpRecord> => {
  const { startServer } = await import('../../http/server.js')
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  const { host, port } = options
  const server = await startServer({
    ...{ service, workspace, host, port },
    ownerToken: token,
    allowedSources: config.allowedSources,
    ...(config.token === undefined ? {} : { token: config.token }),
    workersReady: () => workers.every((worker) => worker.isReady()),
    onNotice: (message) => process.stderr.write(`api: ${message}\n`),
  })
  life.opened(() => server.close())
  return {
    url: server.url,
    token,
    pid: process.pid,
    version: VERSION,
    store: workspace.store.url,
    queue: backend.url,
  }
}

const describe = ({ url, store, queue }: UpRecord, kinds: readonly WorkerKind[]): string =>
  [
    `headstart ${VERSION} listens on ${url}`,
    `  store    ${store}`,
    `  queue    ${queue}`,
    `  workers  ${kinds.length === 0 ? 'none in this process' : kinds.join(', ')}`,
    'Commands in this folder go through it. Ctrl-C stops it; jobs go on with the next `headstart up`.',
  ].join('\n')

/** @throws QUEUE_OWNED when another one serves this folder; what was opened is closed. */
export const runUp = (options: UpOptions): Promise<void> =>
  liveUntilSignal(FAREWELL, async (life) => {
    const config = parseConfig(process.env)
    const folder = process.cwd()
    await assertFirst(folder)
    const opened = await openAll(life, config, options, folder)
    const kinds = options.workers ? WORKERS : []
    const workers = await startWorkers(life, { kinds, ...opened })
    assertNotAborted(life.signal)
    const record = await listen(life, config, opened, options, workers)
    await writeUpRecord(folder, record)
    life.opened(
      () => removeUpRecord(folder, record),
      () => removeUpRecord(folder, record),
    )
    const { token: _, ...shown } = record
    const text = options.json
      ? JSON.stringify({ ...shown, workers: kinds })
      : describe(record, kinds)
    await writeOut(`${text}\n`)
  })
