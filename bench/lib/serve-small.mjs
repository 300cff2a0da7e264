// Child of bench/http-predict.mjs: trains a head on the small base, serves it on a free port with the
// embedded queue, prints its URL and ends when its input ends. Run: node bench/lib/serve-small.mjs <images>
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runExperiment } from '../../dist/src/experiment/run.js'
import { parseExperiment } from '../../dist/src/experiment/schema.js'
import { startServer } from '../../dist/src/http/server.js'
import { openService } from '../../dist/src/queue/open-service.js'
import { SMALL_CUT, SMALL_SIDE, writeSmallBase } from './small-base.mjs'

const [images] = process.argv.slice(2)
const directory = await mkdtemp(join(tmpdir(), 'headstart-bench-'))
try {
  await writeSmallBase(join(directory, 'base'))
  const service = await openService({ directory, cacheBytes: 2 ** 30 })
  const { workspace } = service
  const experiment = parseExperiment({
    name: 'small',
    base: { from: './base', cut: SMALL_CUT },
    preprocess: { size: [SMALL_SIDE, SMALL_SIDE], range: '0..1' },
    dataset: { from: images },
    heads: [{ kind: 'linear', epochs: 5 }],
    engine: 'wasm',
  })
  await runExperiment({ workspace, experiment, folder: directory })
  const server = await startServer({
    service,
    workspace,
    host: '127.0.0.1',
    port: 0,
    allowedSources: [],
    onNotice: (message) => process.stderr.write(`${message}\n`),
  })
  process.stdout.write(`${server.url}\n`)
  process.stdin.resume()
  await new Promise((resolve) => process.stdin.once('end', resolve))
  await server.close()
  await service.close()
} finally {
  await rm(directory, { recursive: true, force: true })
}
