// Owns one stage process: starts it, gives it tasks, stops it, and starts another when it died. An
// engine blocks its process, and may take it down: neither may reach the process that holds the locks.
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { HeadstartError } from '../errors.js'
import type { WorkspaceOptions } from '../experiment/workspace.js'
import { workerUrl } from '../features/worker-url.js'
import { fromPlainError } from './failure.js'
import type {
  FromStage,
  StageProgress,
  StageResultOf,
  StageTask,
  ToStage,
} from './stage-protocol.js'

/** A task that is to stop and does not within this time loses its process. */
const STOP_MS = 4000

/** The process that ran the task is gone: the task may be to blame, or not. */
export class StageDied extends HeadstartError {
  constructor(how: string) {
    super('ENGINE_FAILED', `the engine process died (${how})`)
  }
}

export interface RunOptions {
  /** Stops the task within a batch; its process is killed when it does not obey. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: StageProgress) => void
}

export interface StageProcess {
  /** Process id of the living child; null when there is none. */
  readonly pid: number | null
  /**
   * Runs one task; the next one waits for it to end.
   *
   * @throws StageDied; INTERRUPTED when the signal fired; the errors of the stage.
   */
  run<Task extends StageTask>(task: Task, options: RunOptions): Promise<StageResultOf[Task['kind']]>
  /** Ends the child: by itself, or at once. */
  close(force: boolean): Promise<void>
}

export interface StageProcessOptions {
  readonly workspace: WorkspaceOptions
  /** Added to the environment of the child, e.g. which GPU it may see. */
  readonly environment: Readonly<Record<string, string>>
  readonly onNotice: (message: string) => void
}

interface Pending {
  readonly onMessage: (message: FromStage) => void
  readonly onExit: (how: string) => void
}

export const createStageProcess = (options: StageProcessOptions): StageProcess => {
  let child: ChildProcess | undefined
  let ids = 0
  const pending = new Map<number, Pending>()

  const tell = (to: ChildProcess, message: ToStage): void => {
    // A child that died meanwhile is noticed by its exit.
    to.send(message, () => undefined)
  }

  const start = (): ChildProcess => {
    const started = fork(fileURLToPath(workerUrl('stage')), [], {
      env: { ...process.env, ...options.environment },
      // What is printed belongs to the log, never to a command's answer.
      stdio: ['ignore', 2, 2, 'ipc'],
      // TypeScript loaders and debuggers of the parent are none of the child's business.
      execArgv: [],
    })
    started.on('message', (message: FromStage) => {
      if (message.type === 'notice') options.onNotice(message.message)
      else pending.get(message.id)?.onMessage(message)
    })
    const onGone = (how: string): void => {
      if (child !== started) return
      child = undefined
      for (const task of [...pending.values()]) task.onExit(how)
    }
    started.on('error', (error) => onGone(error.message))
    started.on('exit', (code, signal) => onGone(signal ?? `exit code ${code}`))
    tell(started, { type: 'open', workspace: options.workspace })
    child = started
    return started
  }

  return {
    get pid() {
      return child?.pid ?? null
    },
    run: (task, { signal, onProgress }) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(new HeadstartError('INTERRUPTED', 'interrupted'))
          return
        }
        const to = child ?? start()
        ids += 1
        const id = ids
        let killer: NodeJS.Timeout | undefined
        const onAbort = (): void => {
          tell(to, { type: 'cancel', id })
          killer = setTimeout(() => to.kill('SIGKILL'), STOP_MS)
        }
        const settle = (end: () => void): void => {
          pending.delete(id)
          clearTimeout(killer)
          signal.removeEventListener('abort', onAbort)
          end()
        }
        pending.set(id, {
          onMessage: (message) => {
            if (message.type === 'progress') onProgress(message.progress)
            else if (message.type === 'done') settle(() => resolve(message.result as never))
            else if (message.type === 'failed') settle(() => reject(fromPlainError(message.error)))
          },
          onExit: (how) =>
            settle(() =>
              reject(
                signal.aborted
                  ? new HeadstartError('INTERRUPTED', 'interrupted')
                  : new StageDied(how),
              ),
            ),
        })
        signal.addEventListener('abort', onAbort)
        tell(to, { type: 'run', id, task })
      }),
    close: (force) =>
      new Promise((resolve) => {
        const ending = child
        if (ending === undefined || ending.exitCode !== null) {
          resolve()
          return
        }
        ending.once('exit', () => resolve())
        if (force) ending.kill('SIGKILL')
        else {
          // It ends by itself when its supervisor hangs up.
          const killer = setTimeout(() => ending.kill('SIGKILL'), STOP_MS)
          ending.once('exit', () => clearTimeout(killer))
          if (ending.connected) ending.disconnect()
        }
      }),
  }
}
