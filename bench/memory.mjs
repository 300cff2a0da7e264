// Measures peak memory: resident set size of a process of its own that extracts generated images with
// the real MobileNetV2, for few and for many. It must not grow with their number. Takes minutes.
// Run: node bench/memory.mjs [--counts 2000,10000] [--engine auto|onnxruntime|wasm|tensorflow]
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { table } from '../dist/src/cli/tables.js'
import { generateImages } from './lib/images.mjs'
import { describeMachine, parseOptions, wholeNumber } from './lib/numbers.mjs'
import { prepareSamples } from './lib/setting.mjs'

const LIMIT_BYTES = 1.5e9
/** Resident memory differs by some percent between two equal runs. */
const NOISE = 1.05

const CHILD = join(import.meta.dirname, 'lib/extract-folder.mjs')

const runChild = async (base, images, engine) => {
  const running = promisify(execFile)(process.execPath, [CHILD, base, images, engine])
  running.child.stderr.pipe(process.stderr, { end: false })
  return JSON.parse((await running).stdout)
}

const options = parseOptions({ counts: '2000,10000', engine: 'auto' })
const counts = options.counts.split(',').map((text) => wholeNumber('counts', text, 10))
const { base } = await prepareSamples()
const directory = await mkdtemp(join(tmpdir(), 'headstart-memory-'))
try {
  const results = []
  for (const count of counts) {
    const images = join(directory, `images-${count}`)
    process.stderr.write(`generating ${count} images\n`)
    await generateImages(images, count)
    process.stderr.write(`extracting ${count} images\n`)
    results.push(await runChild(base, images, options.engine))
    await rm(images, { recursive: true })
  }
  const least = results[0].peakBytes
  const rows = results.map(({ samples, seconds, peakBytes }) => [
    String(samples),
    `${(samples / seconds).toFixed(1)}`,
    `${(peakBytes / 1e6).toFixed(0)} MB`,
    (peakBytes / least).toFixed(3),
  ])
  const highest = Math.max(...results.map(({ peakBytes }) => peakBytes))
  process.stdout.write(`
${describeMachine()}

${table(rows, ['images', 'images/s', 'peak memory', 'against the first'])}

at most ${LIMIT_BYTES / 1e9} GB: ${highest <= LIMIT_BYTES ? 'yes' : 'NO'}; no more than for ${counts[0]} (${((NOISE - 1) * 100).toFixed(0)} % noise allowed): ${highest <= least * NOISE ? 'yes' : 'NO'}
`)
} finally {
  await rm(directory, { recursive: true, force: true })
}
