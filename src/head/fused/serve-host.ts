// Owns the thread side of a host: the messages it takes, when it must not compute any more, and how its
// errors travel back.
import { HeadstartError } from '../../errors.js'
import { type Failure, toFailure } from '../../extractor/engines/failure.js'
import { type NativeGuard, whileGuarded } from '../../extractor/engines/native-guard.js'
import { createGroupHost } from './group-host.js'
import type { GroupHost } from './host.js'

export interface HostThreadStart {
  readonly guard: NativeGuard
  /** [1]; 1: the training is to stop. */
  readonly stop: Int32Array
}

export type Method = Exclude<keyof GroupHost, 'end'>

export interface HostTask {
  readonly method: Method
  readonly args: readonly unknown[]
}

export type HostAnswer = { readonly ok: true } | Failure

const interrupted = () => new HeadstartError('INTERRUPTED', 'interrupted')

/** Makes the task handler of one thread; the host is made with the first task. */
export const serveGroupHost = ({ guard, stop }: HostThreadStart) => {
  const guarded = async (work: () => Promise<void>): Promise<void> => {
    if (Atomics.load(stop, 0) === 1) throw interrupted()
    await whileGuarded(guard, work, interrupted)
  }
  let host: Promise<GroupHost> | undefined
  const work = async ({ method, args }: HostTask): Promise<void> => {
    host ??= createGroupHost(guarded)
    const call = (await host)[method] as (...values: readonly unknown[]) => Promise<void>
    await call(...args)
  }
  return async (task: HostTask): Promise<HostAnswer> => {
    try {
      // All of it: onnxruntime must not be interrupted either while it is loaded or opens a session.
      await whileGuarded(guard, () => work(task), interrupted)
      return { ok: true }
    } catch (error) {
      return toFailure(error)
    }
  }
}
