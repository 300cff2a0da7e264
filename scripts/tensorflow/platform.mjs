// Owns where the build runs: Linux on x86-64 with glibc, because TensorFlow's wheels are made for that.
import { mkdir, statfs } from 'node:fs/promises'

/** glibc that the wheel asks for (manylinux_2_27). */
const LEAST_GLIBC = [2, 27]
const MIB = 2 ** 20

/** @returns {string | undefined} the version of glibc; undefined on musl and other systems. */
const glibcVersion = () => {
  // Reading network interfaces makes the report slow on some machines, and nothing here needs them.
  process.report.excludeNetwork = true
  return process.report.getReport().header.glibcVersionRuntime
}

/** @returns {string | null} why TensorFlow cannot be built here; null when it can. */
export const platformProblem = () => {
  const { platform, arch } = process
  if (platform !== 'linux' || arch !== 'x64')
    return `it needs Linux on x86-64, this is ${platform} on ${arch}`
  const version = glibcVersion()
  if (version === undefined) return 'it needs glibc, and this Node runs on another C library'
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > LEAST_GLIBC[0] || (major === LEAST_GLIBC[0] && minor >= LEAST_GLIBC[1])
    ? null
    : `it needs glibc ${LEAST_GLIBC.join('.')} or later, this is ${version}`
}

/**
 * @param {string} folder made when it is missing.
 * @param {number} neededMib
 * @returns {Promise<void>}
 */
export const assertDiskSpace = async (folder, neededMib) => {
  await mkdir(folder, { recursive: true })
  const { bavail, bsize } = await statfs(folder)
  const freeMib = Math.floor((bavail * bsize) / MIB)
  if (freeMib < neededMib)
    throw new Error(`${folder} has ${freeMib} MiB of free disk space, ${neededMib} MiB are needed`)
}
