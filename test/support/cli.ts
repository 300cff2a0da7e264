// Owns running the compiled command line as a real process, as a user's shell does.
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url))
export const CLI_FILE = join(PROJECT, 'dist/src/cli/main.js')

export interface CliResult {
  /** Null when a signal ended the process. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  /** Working directory; the embedded store lies in its `.headstart`. */
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Written to stdin, which is closed after it. */
  readonly input?: string
  /** Leaves stdin open for the test to write to. */
  readonly keepInput?: boolean
  /** Permissions hold root back too: as any owner, it may not write what is closed to writing. */
  readonly permissions?: boolean
}

export interface RunningCli {
  readonly child: ChildProcess
  readonly finished: Promise<CliResult>
  /** What was written so far. */
  stdout(): string
  stderr(): string
}

const cleanEnvironment = (): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(HEADSTART_|NODE_|VITEST)/.test(name)),
  )

const OVERRIDES = '-dac_override,-dac_read_search'
/** Takes from root what lets it pass over permissions; it stays the owner of its files. */
const BOUND_BY_PERMISSIONS = ['setpriv', `--bounding-set=${OVERRIDES}`, `--inh-caps=${OVERRIDES}`]

/** Any command; its output is collected. */
export const startProcess = (
  command: string,
  args: readonly string[],
  { cwd, env = {}, input = '', keepInput = false, permissions = false }: CliOptions,
): RunningCli => {
  const isBound = permissions && process.getuid?.() === 0
  const line = [...(isBound ? BOUND_BY_PERMISSIONS : []), command, ...args]
  const child = spawn(line[0] ?? command, line.slice(1), {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  // A process that ends without reading its input breaks the pipe.
  child.stdin.on('error', () => undefined)
  if (!keepInput) child.stdin.end(input)
  const finished = new Promise<CliResult>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, ...output }))
  })
  return { child, finished, stdout: () => output.stdout, stderr: () => output.stderr }
}

export const startCli = (args: readonly string[], options: CliOptions): RunningCli =>
  startProcess(process.execPath, [CLI_FILE, ...args], options)

export const runCli = (args: readonly string[], options: CliOptions): Promise<CliResult> =>
  startCli(args, options).finished

export interface JsonFailure {
  readonly code: string
  readonly message: string
  readonly details: readonly string[]
  readonly remedy: string
}

/** The one JSON document on stdout; fails when anything else is there. */
export const documentOf = <T>({ stdout, stderr, code }: CliResult): T => {
  try {
    return JSON.parse(stdout) as T
  } catch (cause) {
    throw new Error(`stdout is no JSON document (exit ${code}): ${stdout}\n${stderr}`, { cause })
  }
}

/** The document of a command that must succeed. */
export const runJson = async <T>(args: readonly string[], options: CliOptions): Promise<T> => {
  const result = await runCli([...args, '--json'], options)
  if (result.code !== 0) throw new Error(`exit ${result.code}: ${result.stderr}`)
  return documentOf<T>(result)
}

/** The error of a command that must fail, with all that it said. */
export const runFailing = async (
  args: readonly string[],
  options: CliOptions,
): Promise<JsonFailure & Pick<CliResult, 'stdout' | 'stderr'> & { exitCode: number | null }> => {
  const result = await runCli([...args, '--json'], options)
  if (result.code === 0) throw new Error(`the command succeeded: ${result.stdout}`)
  const { error } = documentOf<{ error: JsonFailure }>(result)
  return { ...result, ...error, exitCode: result.code }
}
