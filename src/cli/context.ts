// Owns what every command shares: the configuration, the workspace, where output goes, the signal.
import { parseConfig } from '../config.js'
import type { Workspace } from '../experiment/workspace.js'
import { openWorkspace } from '../experiment/workspace.js'
import { createProgress, type Progress } from './progress.js'

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean
  readonly store?: string
}

export interface Context {
  readonly workspace: Workspace
  readonly progress: Progress
  /** Fires on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** Relative paths on the command line start here. */
  readonly folder: string
}

/** What a command prints: one JSON document, or text for people. */
export interface Report {
  readonly json: unknown
  readonly text: string
  /** Default 0. */
  readonly exitCode?: number
}

const interruption = (): { signal: AbortSignal; dispose: () => void } => {
  const controller = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(EXIT_CODES.interrupted)
    process.stderr.write(`\n${signal}: stopping after this batch; once more stops at once\n`)
    controller.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: controller.signal,
    dispose: () => {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}

/** 130 is what shells expect of a command that Ctrl-C ended. */
export const EXIT_CODES = { done: 0, failed: 1, wrongRequest: 2, interrupted: 130 } as const

/** Runs a command in a workspace and prints its report on stdout. */
export const runCommand = async (
  options: CommonOptions,
  command: (context: Context) => Promise<Report>,
): Promise<void> => {
  const config = parseConfig(process.env)
  const folder = process.cwd()
  const { signal, dispose } = interruption()
  const progress = createProgress()
  const url = options.store ?? config.storeUrl
  const workspace = await openWorkspace({
    directory: folder,
    cacheBytes: config.cacheBytes,
    ...(url === undefined ? {} : { url }),
    ...(config.s3Endpoint === undefined ? {} : { s3Endpoint: config.s3Endpoint }),
    ...(config.s3Region === undefined ? {} : { s3Region: config.s3Region }),
    ...(config.s3ForcePathStyle === undefined ? {} : { s3ForcePathStyle: config.s3ForcePathStyle }),
    ...(config.s3Checksums === undefined ? {} : { s3Checksums: config.s3Checksums }),
  })
  try {
    const { json, text, exitCode } = await command({ workspace, progress, signal, folder })
    progress.stop()
    process.stdout.write(options.json ? `${JSON.stringify(json, null, 2)}\n` : `${text}\n`)
    if (exitCode !== undefined) process.exitCode = exitCode
  } finally {
    progress.stop()
    dispose()
    await workspace.close()
  }
}
