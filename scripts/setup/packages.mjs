// Owns installing packages where it is needed: when npm's own record is not what the lock file asks for.
// Refuses to guess from times, and never writes the lock file.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from './command.mjs'

const packagesOf = async (file) => {
  try {
    return JSON.parse(await readFile(file, 'utf8')).packages ?? {}
  } catch {
    return null
  }
}

/** Optional packages may be missing: another system, or a binary that could not be fetched. */
const isInstalled = (wanted, installed) =>
  Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.optional === true || entry.devOptional === true) return true
    const found = installed[path]
    return found?.version === entry.version && found?.integrity === entry.integrity
  })

/**
 * @param {{ folder: string, what: string, flags?: readonly string[] }} request
 * @returns {Promise<void>}
 */
export const installPackages = async ({ folder, what, flags = [] }) => {
  const wanted = await packagesOf(join(folder, 'package-lock.json'))
  if (wanted === null)
    throw new Error(`${join(folder, 'package-lock.json')} is missing or damaged; restore it`)
  // npm writes this file last, so an installation that was cut short has none.
  const installed = await packagesOf(join(folder, 'node_modules/.package-lock.json'))
  if (installed !== null && isInstalled(wanted, installed)) return
  process.stderr.write(`installing the ${what}\n`)
  // Versions and hashes are those of the lock. `npm ci` would also refuse a lock that lacks the
  // optional packages of another system, which no registry mirror is sure to have.
  const args = ['install', '--no-save', '--include=dev', '--no-audit', '--no-fund']
  await runCommand('npm', [...args, '--loglevel=error', ...flags], {
    cwd: folder,
    // npm before 11 does not read allowScripts: the CUDA libraries of onnxruntime are not needed here.
    env: { ONNXRUNTIME_NODE_INSTALL: process.env.ONNXRUNTIME_NODE_INSTALL ?? 'skip' },
    remedy: `The ${what} could not be installed; npm says why above. It needs npm and its registry.`,
  })
}
