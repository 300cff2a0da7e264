// Measures predict over HTTP: a fixed rate of multipart requests with one real 64-pixel image each, to a
// server process with a small model, after a warm-up. Prints latency, errors and the server's memory.
// Run: node bench/http-predict.mjs [--rate 200] [--seconds 60] [--warm-up 60] [--connections 20]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import autocannon from 'autocannon'
import { table } from '../dist/src/cli/tables.js'
import { prepareEmoji } from '../examples/samples/prepare.mjs'
import { describeMachine, parseOptions, wholeNumber } from './lib/numbers.mjs'

const DATA = join(import.meta.dirname, '.cache')
const PER_CLASS = 20
const BOUNDARY = 'headstart-bench'
const SAMPLE_MS = 1_000
/** Memory that a process has at one time and not at another, for no reason of its own. */
const NOISE = 1.05

const formOf = (name, content) =>
  Buffer.concat([
    Buffer.from(
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\ncontent-type: image/png\r\n\r\n`,
    ),
    content,
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ])

/** One request an image. */
const requestsOf = async (images) => {
  const requests = []
  for (const entry of await readdir(images, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const body = formOf(entry.name, await readFile(join(entry.parentPath, entry.name)))
    const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
    requests.push({ method: 'POST', path: '/v1/runs/small/predict', headers, body })
  }
  return requests
}

const startChild = async (images) => {
  const script = join(import.meta.dirname, 'lib/serve-small.mjs')
  const child = spawn(process.execPath, [script, images], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [url] = await once(createInterface({ input: child.stdout }), 'line')
  return { child, url }
}

const figuresOf = async (url) => {
  const text = await (await fetch(`${url}/metrics`)).text()
  const figure = (name) => Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1])
  return {
    rss: figure('process_resident_memory_bytes'),
    batches: figure('headstart_predict_batch_samples_count'),
    samples: figure('headstart_predict_batch_samples_sum'),
  }
}

const drive = (url, requests, { rate, seconds, connections }) =>
  autocannon({ url, requests, connections, duration: seconds, overallRate: rate })

const options = parseOptions({ rate: '200', seconds: '60', 'warm-up': '60', connections: '20' })
const rate = wholeNumber('rate', options.rate)
const seconds = wholeNumber('seconds', options.seconds)
const connections = wholeNumber('connections', options.connections)
const warmUp = wholeNumber('warm-up', options['warm-up'])

const images = join(DATA, `images-${PER_CLASS}`)
await prepareEmoji(images, { limitPerClass: PER_CLASS })
const { child, url } = await startChild(images)
try {
  const requests = await requestsOf(images)
  process.stderr.write(`warming up for ${warmUp} s, then ${seconds} s at ${rate} requests/s\n`)
  await drive(url, requests, { rate, connections, seconds: warmUp })
  const start = await figuresOf(url)
  const memory = []
  const sampling = setInterval(async () => memory.push((await figuresOf(url)).rss), SAMPLE_MS)
  const {
    latency,
    errors,
    timeouts,
    non2xx,
    '2xx': answered,
  } = await drive(url, requests, {
    rate,
    seconds,
    connections,
  })
  clearInterval(sampling)
  const end = await figuresOf(url)
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`
  const rows = [
    ['requests answered with 200', String(answered)],
    ['a second', (answered / seconds).toFixed(1)],
    ['errors, timeouts, other statuses', `${errors}, ${timeouts}, ${non2xx}`],
    ['latency p50, p99, most', `${latency.p50}, ${latency.p99}, ${latency.max} ms`],
    ['samples a batch', ((end.samples - start.samples) / (end.batches - start.batches)).toFixed(2)],
    [
      'memory of the server at the start, at the end, most',
      `${megabytes(start.rss)}, ${megabytes(end.rss)}, ${megabytes(Math.max(...memory))}`,
    ],
  ]
  const failed = errors + timeouts + non2xx
  process.stdout.write(`
${describeMachine()}

${table(rows)}

no error: ${failed === 0 ? 'yes' : 'NO'}; memory flat (${((NOISE - 1) * 100).toFixed(0)} % noise allowed): ${end.rss <= start.rss * NOISE ? 'yes' : 'NO'}
`)
} finally {
  child.stdin.end()
  await once(child, 'exit')
}
