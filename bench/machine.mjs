// Measures the forward pass over a table of sizes: models, batch sizes, devices. One command for a machine
// with a GPU: node bench/machine.mjs --devices cpu,cuda,tensorrt
// A peer or a device that cannot do a size is named below the table, never left out silently.
// Run: node bench/machine.mjs [--devices cpu] [--models mobilenet_v2,resnet50,vit_b16]
//        [--batches 1,16,64,256] [--peers keras,torch,onnxruntime] [--rounds 3] [--seconds 5]
//        [--engine onnxruntime] [--json]
import { table } from '../dist/src/cli/tables.js'
import {
  describeHardware,
  describeMachine,
  listOf,
  parseOptions,
  wholeNumber,
} from './lib/numbers.mjs'
import { OURS, versionsOf, withPeers } from './lib/peers.mjs'
import { inRounds, summarise } from './lib/rounds.mjs'

const WARM_SECONDS = 2

const options = parseOptions({
  devices: 'cpu',
  models: 'mobilenet_v2,resnet50,vit_b16',
  batches: '1,16,64,256',
  peers: 'keras,torch,onnxruntime',
  rounds: '3',
  seconds: '5',
  engine: 'onnxruntime',
  json: false,
})
const names = listOf(options.peers)
const batches = listOf(options.batches).map((text) => wholeNumber('batches', text))
const rounds = wholeNumber('rounds', options.rounds)
const seconds = wholeNumber('seconds', options.seconds)

const sizes = []
const refusals = []
const versions = new Map()

const refuse = (where, error) =>
  refusals.push(`${where}: ${error.message.trim().split('\n').at(-1)}`)

/** Peers that manage a batch of this size. */
const warm = async (peers, batch, where) => {
  const able = []
  for (const [name, peer] of peers) {
    try {
      await peer.ask({ do: 'forward', batch, seconds: WARM_SECONDS })
      able.push(name)
    } catch (error) {
      refuse(`${where} ${name}`, error)
    }
  }
  return able
}

const measureModel = (device, model) => {
  const onRefusal = (name, error) => refuse(`${device} ${model} ${name}`, error)
  const request = { names, model, device, engine: options.engine, onRefusal }
  return withPeers(request, async ({ peers, opened }) => {
    for (const [name, version] of Object.entries(versionsOf(opened)))
      versions.set(name === OURS ? `${name} on ${device}` : name, version)
    for (const batch of batches) {
      const where = `${device} ${model} batch ${batch}`
      process.stderr.write(`${where}\n`)
      const able = await warm(peers, batch, where)
      if (!able.includes(OURS)) continue
      const results = await inRounds(able, rounds, (name) =>
        peers.get(name).ask({ do: 'forward', batch, seconds }),
      )
      sizes.push({ device, model, batch, summary: summarise(results, OURS) })
    }
  })
}

for (const device of listOf(options.devices))
  for (const model of listOf(options.models))
    try {
      await measureModel(device, model)
    } catch (error) {
      refuse(`${device} ${model}`, error)
    }

const cellOf = (summary, name) => {
  const found = summary.find((entry) => entry.name === name)
  if (found === undefined) return '-'
  const ratio = name === OURS ? '' : ` (${found.ratio.toFixed(2)})`
  return `${found.rate.toFixed(1)}${ratio}`
}

const hardware = describeHardware()
if (options.json) {
  const said = Object.fromEntries(versions)
  process.stdout.write(`${JSON.stringify({ ...hardware, versions: said, sizes, refusals })}\n`)
} else {
  const rows = sizes.map(({ device, model, batch, summary }) => [
    device,
    model,
    String(batch),
    ...[OURS, ...names].map((name) => cellOf(summary, name)),
  ])
  const said = [...versions].map(([name, version]) => `${name}: ${version}`)
  process.stdout.write(`
${hardware.cpu}, ${hardware.gpus.join(', ') || 'no GPU'}, ${hardware.memoryGb} GB; ${describeMachine()} at the end
${said.join('\n')}

${table(rows, ['device', 'model', 'batch', OURS, ...names])}

images/s, medians of ${rounds} interleaved rounds of ${seconds} s; in brackets ${OURS} / it
${refusals.map((line) => `not measured: ${line}\n`).join('')}`)
}
if (sizes.length === 0) process.exitCode = 1
