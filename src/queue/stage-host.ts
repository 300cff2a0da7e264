// Owns a stage process: it runs one task after another and keeps what the next one is likely to need,
// an engine and a dataset. Knows no queue: its supervisor does.
import { isHeadstartError } from '../errors.js'
import { openWorkspace, type Workspace } from '../experiment/workspace.js'
import { toPlainError } from './failure.js'
import type { FromStage, StageProgress, StageTask, ToStage } from './stage-protocol.js'
import { createShardStage } from './stage-shard.js'
import { createTrainingStage } from './stage-training.js'

/** A stage process whose supervisor died saves its rows, and is gone at the latest after this. */
const ORPHAN_LIFE_MS = 5000

const send = (message: FromStage): void => {
  // The supervisor may be gone, and not known to be: an error that nobody takes would end this process
  // before it has saved its rows.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}

const createStages = (workspace: Workspace) => {
  const onNotice = (message: string): void => send({ type: 'notice', message })
  const shard = createShardStage(workspace, onNotice)
  const training = createTrainingStage(workspace, onNotice)
  return (task: StageTask, id: number, signal: AbortSignal) => {
    const onProgress = (progress: StageProgress): void => send({ type: 'progress', id, progress })
    const context = { signal, onProgress }
    return task.kind === 'shard' ? shard(task, context) : training(task, context)
  }
}

/** Serves the supervisor that forked this process until it disconnects. */
export const serveStage = (): void => {
  const running = new Map<number, AbortController>()
  let stages: Promise<ReturnType<typeof createStages>> | undefined

  const run = async (id: number, task: StageTask): Promise<void> => {
    const controller = new AbortController()
    running.set(id, controller)
    try {
      if (stages === undefined) throw new Error('no workspace was opened')
      const result = await (await stages)(task, id, controller.signal)
      send({ type: 'done', id, result })
    } catch (error) {
      send({ type: 'failed', id, error: toPlainError(error) })
      // Not an error that this software throws on purpose: print where it came from.
      if (!isHeadstartError(error)) process.stderr.write(`${(error as Error).stack ?? error}\n`)
    } finally {
      running.delete(id)
    }
  }

  process.on('message', (message: ToStage) => {
    if (message.type === 'open') stages = openWorkspace(message.workspace).then(createStages)
    else if (message.type === 'run') void run(message.id, message.task)
    else running.get(message.id)?.abort()
  })
  // A terminal's Ctrl-C reaches the whole group; the supervisor decides what happens here.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => undefined)
  process.on('disconnect', () => {
    for (const controller of running.values()) controller.abort()
    setTimeout(() => process.exit(1), running.size === 0 ? 0 : ORPHAN_LIFE_MS)
  })
}
