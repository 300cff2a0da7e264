// Owns the process of a webgpu engine as its engine thread sees it. Dawn ends the whole process when a
// thread is stopped, or the process exits, while the GPU computes; it is kept out of processes that
// hold anything, and so is apart from libtensorflow. A driver that crashes takes nothing down either.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { HeadstartError, isHeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import { workerUrl } from '../../features/worker-url.js'
import type { TfjsBase } from '../base/loaded-base.js'
import type { EngineSettings } from '../engine-settings.js'
import type { Engine, EngineRequest } from './engine.js'
import type { WebgpuAnswer, WebgpuResultOf, WebgpuTask } from './webgpu-messages.js'

/** Of what Dawn and the driver print, the end is kept. */
const LOG_CHARACTERS = 4000
const LOG_LINES = 5

interface Child {
  /** One at a time. @throws the errors of the engine; ENGINE_FAILED when the process ended. */
  ask<Task extends WebgpuTask>(task: Task): Promise<WebgpuResultOf[Task['kind']]>
  /** Ends the process. @returns the last lines that it printed. */
  end(): Promise<string[]>
}

interface Pending {
  resolve(answer: WebgpuAnswer): void
  reject(error: HeadstartError): void
}

/** Dawn adds the places in its sources to each warning. */
const linesOf = (log: string): string[] =>
  log
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
    .slice(-LOG_LINES)

const startChild = (): Child => {
  const child = fork(fileURLToPath(workerUrl('webgpu')), [], {
    serialization: 'advanced',
    // What is printed belongs to the message of a failure, never to a command's answer.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // TypeScript loaders and debuggers of the parent are none of the child's business.
    execArgv: [],
  })
  let log = ''
  let ended: string | undefined
  let pending: Pending | undefined
  const died = (how: string): HeadstartError =>
    new HeadstartError('ENGINE_FAILED', `the process of the engine webgpu ended (${how})`, {
      details: linesOf(log),
    })
  const gone = new Promise<void>((resolve) => {
    const onGone = (how: string): void => {
      ended ??= how
      pending?.reject(died(ended))
      pending = undefined
      resolve()
    }
    child.once('error', (error) => onGone(error.message))
    child.once('close', (code, signal) => onGone(signal ?? `exit code ${code}`))
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-LOG_CHARACTERS)
  })
  child.on('message', (answer: WebgpuAnswer) => {
    pending?.resolve(answer)
    pending = undefined
  })

  return {
    ask: async (task) => {
      const answer = await new Promise<WebgpuAnswer>((resolve, reject) => {
        if (ended !== undefined) return reject(died(ended))
        pending = { resolve, reject }
        // A child that went meanwhile is noticed by its end.
        child.send(task, () => undefined)
      })
      if (!answer.ok)
        throw new HeadstartError(answer.code, answer.message, { details: answer.details })
      return answer.result as WebgpuResultOf[(typeof task)['kind']]
    },
    end: async () => {
      child.kill('SIGKILL')
      await gone
      return linesOf(log)
    },
  }
}

/** Asks the first thing of a new process; where that fails, the process is ended. */
const askFirst = async (child: Child, task: WebgpuTask & { kind: 'probe' | 'open' }) => {
  try {
    return await child.ask(task)
  } catch (error) {
    const lines = await child.end()
    // Why there is no adapter is in the log alone: a library that is missing, a driver that is too old.
    if (!isHeadstartError(error, 'ENGINE_UNAVAILABLE')) throw error
    throw new HeadstartError(error.code, error.message, { cause: error, details: lines })
  }
}

/** @throws ENGINE_UNAVAILABLE */
export const probeWebgpu = async (settings: EngineSettings): Promise<EngineInfo> => {
  const child = startChild()
  const info = await askFirst(child, { kind: 'probe', settings })
  await child.end()
  return info
}

/** @throws ENGINE_UNAVAILABLE, ENGINE_FAILED and the errors of createTfjsEngine. */
export const openWebgpuEngine = async (
  { base: _, ...request }: EngineRequest,
  base: TfjsBase,
): Promise<Engine> => {
  const child = startChild()
  const sent = { ...base, weights: new Uint8Array(base.weights) }
  const info = await askFirst(child, { kind: 'open', request, base: sent })
  let tensors = 0
  return {
    info,
    tensorCount: () => tensors,
    close: () => void child.end(),
    run: async (input, count) => {
      const { values, shape, tensorCount } = await child.ask({ kind: 'run', input, count })
      tensors = tensorCount
      // What arrived lies in the buffer of the whole message.
      return { values: values.slice(), shape: [...shape] }
    },
  }
}
