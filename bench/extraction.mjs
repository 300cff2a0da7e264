// Measures whole extraction from JPEG files (500x375, generated once) with MobileNetV2: Headstart from the
// folder to a certified feature set, tf.data with Keras `predict`, PyTorch's DataLoader with
// `optimize_for_inference`. Beside it the limit that decoding and the forward pass set: the cores divided by
// the CPU seconds that an image costs in both, each measured alone in the same rounds.
// Run: node bench/extraction.mjs [--images 512] [--rounds 3] [--peers keras,torch]
//        [--engine onnxruntime] [--json]
import {
  describeHardware,
  describeMachine,
  listOf,
  median,
  parseOptions,
  wholeNumber,
} from './lib/numbers.mjs'
import { OURS, versionsOf, withPeers } from './lib/peers.mjs'
import { preparePhotos } from './lib/photos.mjs'
import { inRounds, rateOf, summarise, summaryTable } from './lib/rounds.mjs'

const MODEL = 'mobilenet_v2'
const FORWARD_SECONDS = 5
const WARM_SECONDS = 2
const DECODE = 'decode alone'
const FORWARD = 'forward alone'

const cpuOf = ({ images, cpuSeconds }) => cpuSeconds / images

/**
 * Images a second that the cores can do at most, round by round; what was reached of it; and how much of
 * the CPU time of an extraction decoding and the forward pass are, which other load does not move.
 */
const limitsOf = (results, cores) =>
  results[OURS].map((whole, i) => {
    const limit = cores / (cpuOf(results[DECODE][i]) + cpuOf(results[FORWARD][i]))
    return { limit, share: rateOf(whole) / limit, byCpu: cores / (limit * cpuOf(whole)) }
  })

const options = parseOptions({
  images: '512',
  rounds: '3',
  peers: 'keras,torch',
  engine: 'onnxruntime',
  json: false,
})
const { engine } = options
const images = wholeNumber('images', options.images)
const rounds = wholeNumber('rounds', options.rounds)

const { folder, files } = await preparePhotos(images)
const hardware = describeHardware()
const machine = describeMachine()
const names = listOf(options.peers)
await withPeers({ names, model: MODEL, device: 'cpu', engine }, async ({ peers, opened }) => {
  const batch = opened.get(OURS).batchSize
  const ours = peers.get(OURS)
  const forward = (seconds) => ours.ask({ do: 'forward', batch, seconds })
  const measures = new Map([
    [DECODE, () => ours.ask({ do: 'decode', files })],
    [FORWARD, () => forward(FORWARD_SECONDS)],
    ...[...peers].map(([name, peer]) => [
      name,
      () => peer.ask({ do: 'extract', folder, files, batch }),
    ]),
  ])
  await forward(WARM_SECONDS)
  for (const peer of peers.values()) await peer.ask({ do: 'extract', folder, files, batch })
  const results = await inRounds([...measures.keys()], rounds, (name) => measures.get(name)())
  const summary = summarise(results, OURS)
  const limits = limitsOf(results, hardware.cores)
  const [limit, share, byCpu] = ['limit', 'share', 'byCpu'].map((part) =>
    median(limits.map((round) => round[part])),
  )
  const versions = versionsOf(opened)
  if (options.json) {
    const report = { ...hardware, machine, images, batch, versions, summary, limit, share, byCpu }
    process.stdout.write(`${JSON.stringify(report)}\n`)
    return
  }
  process.stdout.write(`
${MODEL}, ${files.length} JPEG files of 500x375, batch ${batch}; ${rounds} rounds
${machine} at the start, ${describeMachine().split(', ').at(-1)} at the end

${summaryTable(summary, versions, OURS)}

medians over the rounds; "${OURS} / it" is the median of the ratios within each round. CPU time of torch
lacks its worker processes.
limit: ${hardware.cores} cores / (decode + forward CPU seconds an image) = ${limit.toFixed(1)} images/s; reached: ${share.toFixed(3)} of it
(by round: ${limits.map((round) => round.share.toFixed(3)).join(' ')}); of its CPU time decode and forward are ${byCpu.toFixed(3)}
`)
})
