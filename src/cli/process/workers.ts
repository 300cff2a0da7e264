// Owns starting the workers of a process that serves.
import { assertNotAborted } from '../../errors.js'
import type { Workspace } from '../../experiment/workspace.js'
import type { QueueBackend } from '../../queue/port.js'
import type { RunningWorker } from '../../queue/workers.js'
import type { Life } from './life.js'

export type WorkerKind = RunningWorker['kind']

interface WorkersRequest {
  readonly kinds: readonly WorkerKind[]
  readonly backend: QueueBackend
  readonly workspace: Workspace
}

/** Starts workers that end with the process: all at once, in order or by force. */
export const startWorkers = async (
  life: Life,
  { kinds, backend, workspace }: WorkersRequest,
): Promise<readonly RunningWorker[]> => {
  const { startWorker } = await import('../../queue/workers.js')
  const workers: RunningWorker[] = []
  const closeAll = async (options?: { readonly force: boolean }): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.close(options)))
  }
  life.opened(closeAll, () => closeAll({ force: true }))
  const visibleGpus = process.env.CUDA_VISIBLE_DEVICES
  for (const kind of kinds) {
    assertNotAborted(life.signal)
    const onNotice = (message: string) => process.stderr.write(`${kind}: ${message}\n`)
    workers.push(await startWorker(kind, { backend, workspace, visibleGpus, onNotice }))
  }
  return workers
}
