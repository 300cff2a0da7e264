// Measures the forward pass alone on pixels in memory: Headstart's engine threads, Keras 3
// `predict_on_batch`, PyTorch `optimize_for_inference`, and plain onnxruntime in Python on the very graph
// that Headstart compiled: one batch on all cores, and (`onnxruntime_parallel`) a batch a core at the same
// time. The same architecture for all, all cores, interleaved rounds.
// Run: node bench/forward.mjs [--model mobilenet_v2|inception_v3|resnet50] [--batch 16] [--rounds 3]
//        [--seconds 6] [--peers keras,torch,onnxruntime,onnxruntime_parallel] [--engine onnxruntime] [--json]
import {
  describeHardware,
  describeMachine,
  listOf,
  parseOptions,
  wholeNumber,
} from './lib/numbers.mjs'
import { OURS, versionsOf, withPeers } from './lib/peers.mjs'
import { inRounds, summarise, summaryTable } from './lib/rounds.mjs'

const WARM_SECONDS = 2

const options = parseOptions({
  model: 'mobilenet_v2',
  batch: '16',
  rounds: '3',
  seconds: '6',
  peers: 'keras,torch,onnxruntime,onnxruntime_parallel',
  engine: 'onnxruntime',
  json: false,
})
const { model, engine } = options
const batch = wholeNumber('batch', options.batch)
const rounds = wholeNumber('rounds', options.rounds)
const seconds = wholeNumber('seconds', options.seconds)

const machine = describeMachine()
const names = listOf(options.peers)
await withPeers({ names, model, device: 'cpu', engine }, async ({ peers, opened }) => {
  const forward = (name, duration) =>
    peers.get(name).ask({ do: 'forward', batch, seconds: duration })
  for (const name of peers.keys()) await forward(name, WARM_SECONDS)
  const results = await inRounds([...peers.keys()], rounds, (name) => forward(name, seconds))
  const summary = summarise(results, OURS)
  const versions = versionsOf(opened)
  if (options.json) {
    const report = { ...describeHardware(), machine, model, batch, seconds, versions, summary }
    process.stdout.write(`${JSON.stringify(report)}\n`)
    return
  }
  process.stdout.write(`
${model}, batch ${batch}, forward pass alone; ${rounds} rounds of ${seconds} s a peer
${machine} at the start, ${describeMachine().split(', ').at(-1)} at the end

${summaryTable(summary, versions, OURS)}

medians over the rounds; "${OURS} / it" is the median of the ratios within each round
`)
})
