// Owns what SIGINT and SIGTERM do: the first stops in order, the second at once.
import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

const STOPS_AFTER_BATCH = 'stopping after this batch; once more stops at once'

/** What shells expect of a command that a signal ended. */
const exitCodeOf = (name: NodeJS.Signals): number => 128 + constants.signals[name]

let received: NodeJS.Signals = 'SIGINT'

/** 130 after Ctrl-C, 143 after SIGTERM. */
export const interruptedExitCode = (): number => exitCodeOf(received)

export interface Interruption {
  /** Fires on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** What the first signal will say from now on. */
  explain(message: string): void
  /** Gives the signals back to the process. */
  dispose(): void
}

/** @param kill what the second signal does before the process ends; a third one does not wait for it. */
export const listenForInterruption = (kill?: () => Promise<void>): Interruption => {
  const controller = new AbortController()
  let message = STOPS_AFTER_BATCH
  let isKilling = false
  const onSignal = (name: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      received = name
      process.stderr.write(`\n${name}: ${message}\n`)
      controller.abort()
      return
    }
    const end = () => process.exit(exitCodeOf(name))
    if (kill === undefined || isKilling) end()
    isKilling = true
    kill?.().then(end, end)
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  return {
    signal: controller.signal,
    explain: (text) => {
      message = text
    },
    dispose: () => {
      for (const name of SIGNALS) process.off(name, onSignal)
    },
  }
}
