// Owns the S3 server of the tests: a real `moto_server` process (Python) on a free loopback port.
// Fails, never skips, when the server cannot be started.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 5_000

export interface MotoServer {
  readonly endpoint: string
  /** A client of the tests' own, for what the store's port cannot do. */
  readonly client: S3Client
  /** Creates an empty bucket of its own name. */
  createBucket(): Promise<string>
  stop(): Promise<void>
}

const SCRIPT = 'test/support/moto_server.py'

const findPython = (): string => {
  const asked = process.env.HEADSTART_TEST_PYTHON
  const candidates = [
    ...(asked === undefined ? [] : [asked]),
    path.resolve('.cache/test-venv/bin/python'),
    'python3',
  ]
  for (const python of candidates) {
    const probe = spawnSync(python, ['-c', 'import moto.server, moto.s3'], {
      stdio: 'ignore',
      timeout: START_TIMEOUT_MS,
    })
    if (probe.status === 0) return python
  }
  throw new Error(
    `no Python with moto[server] among ${candidates.join(', ')}: run \`node scripts/setup.mjs --tests\`, or set HEADSTART_TEST_PYTHON to one`,
  )
}

const waitForAddress = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let output = ''
    const timer = setTimeout(
      () => reject(new Error(`moto_server did not start in time:\n${output}`)),
      START_TIMEOUT_MS,
    )
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      finish()
    }
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      const address = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(output)?.[1]
      if (address !== undefined) settle(() => resolve(address))
      if (output.length > 100_000) output = ''
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('error', (error) => settle(() => reject(error)))
    child.once('exit', (code) =>
      settle(() => reject(new Error(`moto_server ended with ${code}:\n${output}`))),
    )
  })

const stopProcess = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await ended
  clearTimeout(timer)
}

/** Starts a server of its own; port 0 lets the system choose a free one. */
export const startMoto = async (): Promise<MotoServer> => {
  const child = spawn(findPython(), [path.resolve(SCRIPT), '-H', '127.0.0.1', '-p', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stopWithParent = () => child.kill('SIGKILL')
  process.once('exit', stopWithParent)
  const endpoint = await waitForAddress(child).catch(async (error: unknown) => {
    await stopProcess(child)
    throw error
  })
  // moto takes any credentials; the store under test finds these with the SDK's usual search.
  process.env.AWS_ACCESS_KEY_ID = 'test-access-key'
  process.env.AWS_SECRET_ACCESS_KEY = 'test-secret-key'
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true })
  return {
    endpoint,
    client,
    createBucket: async () => {
      const bucket = `test-${randomUUID()}`
      await client.send(new CreateBucketCommand({ Bucket: bucket }))
      return bucket
    },
    stop: async () => {
      client.destroy()
      process.off('exit', stopWithParent)
      await stopProcess(child)
    },
  }
}
