// Owns what SIGINT and SIGTERM do: the first stops after the work in hand, the second at once.
import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** What shells expect of a command that a signal ended. */
const exitCodeOf = (name: NodeJS.Signals): number => 128 + constants.signals[name]

let received: NodeJS.Signals = 'SIGINT'

/** 130 after Ctrl-C, 143 after SIGTERM. */
export const interruptedExitCode = (): number => exitCodeOf(received)

export interface Interruption {
  /** Fires on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** Gives the signals back to the process. */
  dispose(): void
}

export const listenForInterruption = (): Interruption => {
  const controller = new AbortController()
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(exitCodeOf(name))
    received = name
    process.stderr.write(`\n${name}: stopping after this batch; once more stops at once\n`)
    controller.abort()
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of SIGNALS) process.off(name, onSignal)
    },
  }
}
