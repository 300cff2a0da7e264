// Owns the checks of this machine: Node, the image library, the engines, local folders and disks.
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type EngineReport, reportEngines } from '../extractor/choose-engine.js'
import { findTensorflowPackage } from '../extractor/engines/tensorflow.js'
import { ENGINES, type ImageInput } from '../extractor/spec.js'
import { sha256 } from '../identity/hash.js'
import { attempt, type Check, type Finding, failed, ok, warning } from './doctor-check.js'

/** [major, minor]; the same as `engines` in package.json. */
const LEAST_NODE = [20, 19] as const
/** Less than this is likely to run out in the middle of an extraction. */
const LEAST_FREE_BYTES = 1e9

/** @param version e.g. 20.19.5, as in process.versions.node. */
export const checkNode = (version: string): Finding => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor, leastMinor] = LEAST_NODE
  const enough = major > leastMajor || (major === leastMajor && minor >= leastMinor)
  const seen = `${version} on ${process.platform} ${process.arch}`
  return enough ? ok(seen) : failed(seen, `Install Node ${leastMajor}.${leastMinor} or later.`)
}

/** [rows][columns] of RGB: what the tiny image holds. */
const PIXELS = Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 40, 80, 120])

const TINY_INPUT: ImageInput = {
  kind: 'image',
  size: [2, 2],
  fit: 'fill',
  kernel: 'nearest',
  background: [255, 255, 255],
  channels: 'rgb',
  scale: [1, 1, 1],
  offset: [0, 0, 0],
}

/** Encodes a tiny PNG and decodes it as the extractor does: every pixel must come back. */
export const checkImages = async (): Promise<Finding> => {
  // Loaded here, so that a library that does not load is a finding and no crash.
  const { default: sharp } = await import('sharp')
  const { decodeImage, decoderVersion } = await import('../extractor/decode.js')
  const raw = { width: 2, height: 2, channels: 3 } as const
  const content = await sharp(PIXELS, { raw }).png().toBuffer()
  const decoded = await decodeImage(content, sha256(content), TINY_INPUT, { kind: 'plain' })
  return Buffer.from(decoded).equals(PIXELS)
    ? ok(`a PNG written and decoded, ${decoderVersion()}`)
    : failed(`a PNG was decoded to other pixels, ${decoderVersion()}`, 'Install sharp again.')
}

/** What a report means: wasm must run; tensorflow is optional, but broken when it is installed. */
export const judgeEngine = (report: EngineReport, tensorflowPackage: string | null): Finding => {
  const { engine, info, problem } = report
  if (info !== null) return ok(`${info.version} on ${info.device}`)
  const seen = problem ?? 'does not start'
  if (engine === 'wasm')
    return failed(seen, 'Install the packages again on this machine: `npm ci`.')
  return tensorflowPackage === null
    ? ok('not installed (optional): `npm install @tensorflow/tfjs-node-gpu` where it is wanted')
    : warning(
        seen,
        `Install ${tensorflowPackage} again, or remove it; \`engine: auto\` takes wasm meanwhile.`,
      )
}

export const checkEngines = async (): Promise<Check[]> => {
  const checks: Check[] = []
  for (const engine of ENGINES)
    checks.push(
      await attempt(`engine ${engine}`, 'Install the packages again: `npm ci`.', async () => {
        const [report] = await reportEngines([engine])
        if (report === undefined) return failed('no report', 'Report it as a defect.')
        return judgeEngine(report, findTensorflowPackage())
      }),
    )
  return checks
}

/** Creates the folder where it is missing, writes a file, reads it back and removes it. */
export const checkFolder = async (path: string): Promise<Finding> => {
  await mkdir(path, { recursive: true })
  const file = join(path, `.doctor-${randomUUID()}`)
  try {
    await writeFile(file, PIXELS)
    return (await readFile(file)).equals(PIXELS)
      ? ok(`${path} is writable`)
      : failed(`${path} gave other bytes back`, 'Check the disk.')
  } finally {
    await rm(file, { force: true })
  }
}

/** @param freeBytes what this user can still write. */
export const judgeFreeSpace = (freeBytes: number): Finding => {
  const seen = `${(freeBytes / 1e9).toFixed(1)} GB free`
  return freeBytes < LEAST_FREE_BYTES
    ? warning(seen, 'Free space: `headstart gc --dry-run` says what can go.')
    : ok(seen)
}

/** The folder itself, or the first one above it that exists. */
const existingFolder = async (path: string): Promise<string> => {
  const found = await stat(path).catch(() => null)
  const parent = dirname(path)
  return found !== null || parent === path ? path : existingFolder(parent)
}

/** @param url of a file store. */
export const checkDisk = async (url: string): Promise<Finding> => {
  const { bavail, bsize } = await statfs(await existingFolder(fileURLToPath(url)))
  return judgeFreeSpace(bavail * bsize)
}
