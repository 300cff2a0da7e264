// Owns the checks of this machine: Node, the image library, the engines, local folders and disks.
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LoadedBase } from '../extractor/base/loaded-base.js'
import { onnxBaseOf } from '../extractor/compile/load.js'
import { measureEngineRate } from '../extractor/engine-rate.js'
import type { EngineSettings } from '../extractor/engine-settings.js'
import { compileBaseInThread } from '../extractor/engines/pool.js'
import { makeProbeBase, PROBE_SIZE } from '../extractor/probe-base.js'
import { type EngineReport, isEngineInstalled, probeEngineOnce } from '../extractor/probe-engine.js'
import { ENGINES, type EngineName, type ImageInput } from '../extractor/spec.js'
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

/** Engines that come with the packages; the others are installed by who wants them. */
const INCLUDED: readonly EngineName[] = ['wasm', 'onnxruntime']

/**
 * What a report means: an engine that comes with the packages must run; tensorflow is optional, but
 * broken when it is installed and does not start; webgpu is experimental, so its absence is no fault.
 *
 * @param rate images/s of the probe network; null when it was not timed.
 * @param installed whether the package of an optional engine is there.
 */
export const judgeEngine = (
  report: EngineReport,
  { rate, installed }: { readonly rate: number | null; readonly installed: boolean },
): Finding => {
  const { engine, info, problem } = report
  if (info !== null) {
    const timed =
      rate === null
        ? ''
        : `, ${rate.toFixed(0)} images/s (probe network, ${PROBE_SIZE}x${PROBE_SIZE})`
    return ok(`${info.version} on ${info.device}${timed}`)
  }
  const seen = problem ?? 'does not start'
  if (INCLUDED.includes(engine))
    return failed(seen, 'Install the packages again on this machine: `npm ci`.')
  if (!installed) return ok(`not installed (optional: docs/${engine}.md)`)
  return engine === 'webgpu'
    ? ok(`not available (experimental: docs/webgpu.md): ${seen}`)
    : warning(seen, `docs/${engine}.md says how to install it; \`engine: auto\` does without.`)
}

/** The probe network in the form that each engine takes. */
const createProbeForms = () => {
  const base = makeProbeBase()
  let compiled: Promise<LoadedBase> | undefined
  const compile = async (): Promise<LoadedBase> => {
    return onnxBaseOf(base.baseId, (await compileBaseInThread(base)).bytes)
  }
  return async (engine: EngineName): Promise<LoadedBase> => {
    if (engine !== 'onnxruntime') return base
    compiled ??= compile()
    return compiled
  }
}

/** Each engine: whether it runs here, on what, and how fast. */
export const checkEngines = async (settings: EngineSettings): Promise<Check[]> => {
  const formFor = createProbeForms()
  const checks: Check[] = []
  for (const engine of ENGINES)
    checks.push(
      await attempt(`engine ${engine}`, 'Install the packages again: `npm ci`.', async () => {
        const report = await probeEngineOnce(engine, settings)
        const rate =
          report.info === null
            ? null
            : await measureEngineRate(engine, await formFor(engine), settings)
        return judgeEngine(report, { rate, installed: isEngineInstalled(engine, settings) })
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
