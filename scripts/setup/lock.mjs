// Owns that one set-up runs at a time in a clone: a file with the process id of its owner.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 300

/** Null when the file is gone, or when its owner was killed between making and filling it. */
const ownerOf = async (file) => {
  const pid = Number(await readFile(file, 'utf8').catch(() => ''))
  return Number.isInteger(pid) && pid > 0 ? pid : null
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process is alive too.
    return error.code === 'EPERM'
  }
}

const acquire = async (file) => {
  for (let waited = 0; ; waited += 1) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' })
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const owner = await ownerOf(file)
    if (owner !== null && isAlive(owner)) {
      if (waited === 0) process.stderr.write(`waiting for the set-up of process ${owner}\n`)
    } else if (waited > 0) await rm(file, { force: true })
    await sleep(POLL_MS)
  }
}

/**
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export const withLock = async (file, work) => {
  await mkdir(dirname(file), { recursive: true })
  await acquire(file)
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}
