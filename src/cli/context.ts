// Owns what every command shares: the configuration, the workspace, where output goes, the signal.
import { parseConfig } from '../config.js'
import type { Workspace } from '../experiment/workspace.js'
import { openWorkspace } from '../experiment/workspace.js'
import { listenForInterruption } from './interruption.js'
import { writeOut } from './output.js'
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
  /** Writes one line for people as soon as it is known; nothing with --json. */
  print(line: string): Promise<void>
}

/** What a command prints: one JSON document, or text for people. */
export interface Report {
  readonly json: unknown
  /** Undefined: all lines were printed while the command worked. */
  readonly text: string | undefined
  /** Default 0. */
  readonly exitCode?: number
}

/** Runs a command in a workspace and prints its report on stdout. */
export const runCommand = async (
  options: CommonOptions,
  command: (context: Context) => Promise<Report>,
): Promise<void> => {
  const config = parseConfig(process.env)
  const folder = process.cwd()
  const { signal, dispose } = listenForInterruption()
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
    const print = async (line: string): Promise<void> => {
      if (!options.json) await writeOut(`${line}\n`)
    }
    const { json, text, exitCode } = await command({ workspace, progress, signal, folder, print })
    progress.stop()
    if (options.json) await writeOut(`${JSON.stringify(json, null, 2)}\n`)
    else if (text !== undefined) await print(text)
    if (exitCode !== undefined) process.exitCode = exitCode
  } finally {
    progress.stop()
    dispose()
    await workspace.close()
  }
}
