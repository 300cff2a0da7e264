// Owns the Redis server of the tests: finds one on this machine, or unpacks Debian's package into a
// folder. Nothing of the system is changed and no service is started. Records what the tests start.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join, resolve } from 'node:path'
import { findLibraryFolders, unpackPackages } from './apt.mjs'

/** BullMQ needs 6.2. */
const LEAST = [6, 2]
const PROGRAMS = ['redis-server', 'valkey-server']
/** Where servers lie that are not on every user's PATH. */
const FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin']
const PROBE_TIMEOUT_MS = 10_000

const REMEDY = `The tests need a Redis server, ${LEAST.join('.')} or later. Install one (Debian, Ubuntu: \`apt-get install redis-server\`; Fedora: \`dnf install valkey\`; Alpine: \`apk add redis\`; macOS: \`brew install redis\`), or set HEADSTART_TEST_REDIS to one.`

/** Whether the program starts here and is new enough. `env` is added to the environment. */
const isUsable = ({ command, env }) => {
  const { stdout, status } = spawnSync(command, ['--version'], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: PROBE_TIMEOUT_MS,
  })
  const version = /\bv=(\d+)\.(\d+)/.exec(stdout ?? '')
  if (status !== 0 || version === null) return false
  const [major, minor] = [Number(version[1]), Number(version[2])]
  return major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])
}

const findInstalled = (folders) => {
  for (const folder of new Set(folders))
    for (const program of PROGRAMS) {
      const server = { command: resolve(folder, program), env: {} }
      if (existsSync(server.command) && isUsable(server)) return server
    }
  return undefined
}

/** With the libraries of this machine; with those unpacked beside it where that does not run. */
const findUnpacked = async (folder) => {
  const command = join(folder, 'usr/bin/redis-server')
  if (!existsSync(command)) return undefined
  const libraries = (await findLibraryFolders(folder)).join(delimiter)
  return [{}, { LD_LIBRARY_PATH: libraries }].map((env) => ({ command, env })).find(isUsable)
}

const unpackServer = async (folder) => {
  process.stderr.write('unpacking a Redis server for the tests\n')
  const fresh = `${folder}.new`
  try {
    await rm(fresh, { recursive: true, force: true })
    await mkdir(fresh, { recursive: true })
    await unpackPackages({
      // The program itself is in redis-tools; redis-server has the link to it.
      names: ['redis-server', 'redis-tools'],
      librariesOf: 'redis-tools',
      folder: fresh,
      remedy: REMEDY,
    })
    await rm(folder, { recursive: true, force: true })
    await rename(fresh, folder)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return findUnpacked(folder)
}

/** The server that HEADSTART_TEST_REDIS names, or none when it names none. */
const findAsked = (command) => {
  if (command === undefined) return undefined
  const server = { command, env: {} }
  if (isUsable(server)) return server
  throw new Error(
    `HEADSTART_TEST_REDIS is ${command}, which is no Redis server ${LEAST.join('.')} or later`,
  )
}

/**
 * Finds or unpacks a server and records it as `{ command, env }`; `env` belongs in its environment.
 *
 * @param {object} request
 * @param {string} request.folder to unpack into, when the machine has none.
 * @param {string} request.record path of the record, read by test/support/redis.ts.
 * @param {readonly string[]} [request.path] folders to search.
 * @returns {Promise<{ command: string, env: Record<string, string> }>}
 */
export const ensureTestRedis = async ({
  folder,
  record,
  path = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...FOLDERS],
}) => {
  const server =
    findAsked(process.env.HEADSTART_TEST_REDIS) ??
    findInstalled(path) ??
    (await findUnpacked(folder)) ??
    (await unpackServer(folder))
  if (server === undefined)
    throw new Error(`${folder} has a server that does not run.\n  ${REMEDY}`)
  await mkdir(dirname(record), { recursive: true })
  await writeFile(record, `${JSON.stringify(server)}\n`)
  return server
}
