// Owns talking to a peer: a process that answers requests with one line of JSON each (the protocol
// stands in bench/peers/peer.py). Started once, so that what is measured is warm; ended by its id.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PEER_PYTHON } from './paths.mjs'

const PEERS = join(import.meta.dirname, '../peers')

/** No compiled modules beside the sources. */
export const PYTHON_ENVIRONMENT = { PYTHONDONTWRITEBYTECODE: '1' }

export const PYTHON_PEERS = ['keras', 'torch', 'onnxruntime', 'onnxruntime_parallel']

/** @param script in bench/peers. */
const pythonCommand = (script, name) => {
  if (!existsSync(PEER_PYTHON))
    throw new Error('the Python peers are missing: run `node bench/peers/setup.mjs` first')
  return [PEER_PYTHON, join(PEERS, script), name]
}

const commandOf = (name) => {
  if (name === 'headstart')
    return [process.execPath, join(import.meta.dirname, 'headstart-peer.mjs')]
  if (!PYTHON_PEERS.includes(name)) throw new Error(`no peer ${name}; there are ${PYTHON_PEERS}`)
  return pythonCommand('peer.py', name)
}

/** On the CPU no GPU takes part by itself; on a GPU float32 is float32, not TF32. */
const environmentFor = (device) =>
  device === 'cpu' ? { CUDA_VISIBLE_DEVICES: '-1' } : { NVIDIA_TF32_OVERRIDE: '0' }

/**
 * Starts a peer.
 *
 * @returns `ask(request)`, which throws what the peer says went wrong, and `close()`.
 */
export const startPeer = (name, device) => startProcess(name, commandOf(name), device)

/** Starts a peer of the benchmark of heads, on the CPU. */
export const startHeadsPeer = (name) =>
  startProcess(name, pythonCommand('heads_peer.py', name), 'cpu')

const startProcess = (name, [program, ...args], device) => {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...PYTHON_ENVIRONMENT, ...environmentFor(device) },
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said = `${said}${text}`.slice(-4000)
  })
  const ended = once(child, 'close')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    name,
    ask: async (request) => {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error(`${name} died:\n${said}`)
      const answer = JSON.parse(value)
      if (answer.error !== undefined) throw new Error(`${name}: ${answer.error}`)
      return answer
    },
    close: async () => {
      child.stdin.end()
      await ended
    },
  }
}
