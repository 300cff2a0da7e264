// Owns the process of a webgpu engine: it serves the engine thread that forked it, and ends with it.
import { HeadstartError } from '../../errors.js'
import type { TfjsBase } from '../base/loaded-base.js'
import { sharedCopy } from '../base/shared-copy.js'
import type { Engine } from './engine.js'
import { toFailure } from './failure.js'
import { createTfjsEngine } from './tfjs-engine.js'
import { openWebgpu } from './webgpu.js'
import type { SentBase, WebgpuAnswer, WebgpuResultOf, WebgpuTask } from './webgpu-messages.js'

const received = (base: SentBase): TfjsBase => ({ ...base, weights: sharedCopy(base.weights) })

const createHandler = () => {
  let engine: Engine | undefined
  return async (task: WebgpuTask): Promise<WebgpuResultOf[WebgpuTask['kind']]> => {
    switch (task.kind) {
      case 'probe':
        return (await openWebgpu(task.settings)).info
      case 'open': {
        const base = received(task.base)
        const { tf, info } = await openWebgpu(task.request.settings)
        engine = await createTfjsEngine(tf, info, { ...task.request, base }, base)
        return info
      }
      case 'run': {
        if (engine === undefined) throw new HeadstartError('INTERNAL', 'no base was opened')
        const { values, shape } = await engine.run(task.input, task.count)
        return { values, shape, tensorCount: engine.tensorCount() }
      }
    }
  }
}

/** Answers one task after another until the parent goes. */
export const serveWebgpu = (): void => {
  const handle = createHandler()
  const send = (answer: WebgpuAnswer): void => {
    // A parent that went meanwhile is noticed by `disconnect`.
    if (process.connected) process.send?.(answer, undefined, undefined, () => undefined)
  }
  process.on('message', (task: WebgpuTask) => {
    handle(task).then(
      (result) => send({ ok: true, result }),
      (error: unknown) => send(toFailure(error)),
    )
  })
  // A terminal's Ctrl-C reaches the whole group; the parent decides what happens here.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => undefined)
  // Dawn aborts a process that exits while the GPU computes, and says so on the terminal.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
}
