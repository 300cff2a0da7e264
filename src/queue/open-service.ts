// Owns opening everything that a service needs from one set of options: for code that has no command
// line and no server.
import { join } from 'node:path'
import { openWorkspace, type Workspace, type WorkspaceOptions } from '../experiment/workspace.js'
import { openBackend } from './backend.js'
import type { WorkerKind } from './registry.js'
import { createService } from './service.js'
import type { Service } from './types.js'
import { type RunningWorker, startWorker, type WorkerOptions } from './workers.js'

export interface ServiceOptions extends WorkspaceOptions {
  /** `redis://host:port/db`, or a folder for the embedded queue. Default: `.headstart/queue`. */
  readonly queue?: string
}

export interface OpenService extends Service {
  readonly workspace: Workspace
  /** Takes jobs in this process; the work is done in processes of its own. Closed with the service. */
  startWorker(
    kind: WorkerKind,
    options?: Pick<WorkerOptions, 'onNotice' | 'visibleGpus'>,
  ): Promise<RunningWorker>
}

/**
 * Opens a store and a queue. Close it.
 *
 * @throws CONFIG_INVALID, QUEUE_UNAVAILABLE; QUEUE_OWNED when another process owns the folder.
 */
export const openService = async (options: ServiceOptions): Promise<OpenService> => {
  const { queue = join(options.directory, '.headstart', 'queue'), ...rest } = options
  const workspace = await openWorkspace(rest)
  const backend = await openBackend(queue).catch(async (error: unknown) => {
    await workspace.close()
    throw error
  })
  const workers: RunningWorker[] = []
  return {
    ...createService(backend, workspace),
    workspace,
    startWorker: async (kind, asked = {}) => {
      const worker = await startWorker(kind, { ...asked, backend, workspace })
      workers.push(worker)
      return worker
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()))
      await backend.close()
      await workspace.close()
    },
  }
}
