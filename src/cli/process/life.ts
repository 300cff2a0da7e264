// Owns the life of a process that serves: what it opened is closed in reverse order after the first
// signal or a failed start; what can be killed is killed after the second signal.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../errors.js'
import { interruptedExitCode, listenForInterruption } from '../interruption.js'

/** A kill that takes longer is not waited for. */
const KILL_TIMEOUT_MS = 5000

export interface Life {
  /** Fires on the first signal. */
  readonly signal: AbortSignal
  /**
   * Something was opened.
   *
   * @param close called after everything that was opened later is closed.
   * @param kill called on the second signal, for all at once.
   */
  opened(close: () => Promise<void>, kill?: () => Promise<void>): void
}

interface Opened {
  readonly close: () => Promise<void>
  readonly kill: (() => Promise<void>) | undefined
}

const closeAll = async (opened: readonly Opened[]): Promise<void> => {
  const failures: unknown[] = []
  for (const { close } of opened.toReversed()) await close().catch((error) => failures.push(error))
  if (failures.length > 0)
    process.stderr.write(`not closed in order: ${failures.map(messageOf).join('; ')}\n`)
}

/** Runs `start`, then waits for a signal. The exit code says which one came. */
export const liveUntilSignal = async (
  farewell: string,
  start: (life: Life) => Promise<void>,
): Promise<void> => {
  const all: Opened[] = []
  const killAll = async (): Promise<void> => {
    const killed = Promise.allSettled(all.map(({ kill }) => kill?.()))
    await Promise.race([killed, sleep(KILL_TIMEOUT_MS)])
  }
  const { signal, explain, dispose } = listenForInterruption(killAll)
  explain(farewell)
  try {
    await start({ signal, opened: (close, kill) => all.push({ close, kill }) })
    if (!signal.aborted) await once(signal, 'abort')
    process.exitCode = interruptedExitCode()
  } finally {
    await closeAll(all)
    dispose()
  }
}
