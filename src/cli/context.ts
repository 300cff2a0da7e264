// Owns what every command shares: the configuration, the workspace, where output goes, the signal.
import { type Config, parseConfig } from '../config.js'
import type { Workspace } from '../experiment/workspace.js'
import type { DeviceRequest } from '../extractor/device.js'
import { listenForInterruption } from './interruption.js'
import { openConfigured, storeUrlOf } from './open-workspace.js'
import { writeOut } from './output.js'
import { createProgress, type Progress } from './progress.js'

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean
  readonly store?: string
  /** Of commands that run a base. */
  readonly device?: DeviceRequest
}

export interface Context {
  readonly config: Config
  readonly workspace: Workspace
  /** The store that was asked for by --store or the environment. */
  readonly storeUrl: string | undefined
  readonly progress: Progress
  /** Fires on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** What the first signal will say from now on. */
  explainInterruption(message: string): void
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
  const { signal, explain, dispose } = listenForInterruption()
  const progress = createProgress()
  const storeUrl = storeUrlOf(options, config)
  const workspace = await openConfigured(config, folder, storeUrl, options.device)
  try {
    const print = async (line: string): Promise<void> => {
      if (!options.json) await writeOut(`${line}\n`)
    }
    const { json, text, exitCode } = await command({
      ...{ config, workspace, storeUrl, progress, signal, folder, print },
      explainInterruption: explain,
    })
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
