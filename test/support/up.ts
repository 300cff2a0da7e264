// Owns `headstart up` and worker processes of a test: started for real, ended by their process id when
// the test file ends.
import { afterAll } from 'vitest'
import { type CliOptions, type CliResult, type RunningCli, startCli } from './cli.js'
import { until } from './folders.js'

const started: RunningCli[] = []
afterAll(async () => {
  for (const cli of started) if (cli.child.exitCode === null) cli.child.kill('SIGKILL')
  await Promise.all(started.map(({ finished }) => finished))
})

export interface RunningService<Ready> {
  readonly cli: RunningCli
  /** The document that it printed when it was ready. */
  readonly ready: Ready
  /** Ends it with a signal and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<CliResult>
}

const parseLine = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Starts a command that serves, and waits until it says that it is ready. */
export const startService = async <Ready>(
  args: readonly string[],
  options: CliOptions,
): Promise<RunningService<Ready>> => {
  const cli = startCli([...args, '--json'], options)
  started.push(cli)
  await until(async () => parseLine(cli.stdout()) !== undefined || cli.child.exitCode !== null)
  const ready = parseLine(cli.stdout()) as Ready
  if (cli.child.exitCode !== null) throw new Error(`${args.join(' ')} ended: ${cli.stderr()}`)
  return {
    cli,
    ready,
    stop: (signal = 'SIGTERM') => {
      cli.child.kill(signal)
      return cli.finished
    },
  }
}

export interface Up {
  readonly url: string
  readonly pid: number
  readonly store: string
  readonly queue: string
  readonly workers: readonly string[]
}

/** `headstart up` on a free port. */
export const startUp = (
  options: CliOptions,
  args: readonly string[] = [],
): Promise<RunningService<Up>> => startService(['up', '--port', '0', ...args], options)
