// Owns which checks `headstart doctor` makes, in which order. Leaves nothing behind where it looked.
import type { EngineSettings } from '../extractor/engine-settings.js'
import type { Store } from '../store/port.js'
import { attempt, type Check } from './doctor-check.js'
import { checkHttpClock, S3_SKEW_LIMITS } from './doctor-clock.js'
import { checkDisk, checkEngines, checkFolder, checkImages, checkNode } from './doctor-machine.js'
import { checkStore } from './doctor-store.js'

export interface Diagnosis {
  /** True when nothing failed. */
  readonly healthy: boolean
  readonly checks: readonly Check[]
}

export interface DoctorRequest {
  readonly engines: EngineSettings
  readonly store: Store
  /** Local folders that this installation writes to. */
  readonly folders: readonly { readonly name: string; readonly path: string }[]
  /** Where the server of an S3 store answers, to compare clocks with it. */
  readonly s3Address?: string
  /** Checks of what this layer does not know, such as the queue. */
  readonly further?: readonly (() => Promise<readonly Check[]>)[]
}

/** Looks at the machine, the store, and at what else it is told to. */
export const runDoctor = async (request: DoctorRequest): Promise<Diagnosis> => {
  const { store, engines, folders, s3Address, further = [] } = request
  const checks: Check[] = [
    await attempt('node', 'Install Node 20.19 or later.', () => checkNode(process.versions.node)),
    await attempt('images', 'Install the packages again on this machine: `npm ci`.', checkImages),
    ...(await checkEngines(engines)),
  ]
  for (const { name, path } of folders)
    checks.push(await attempt(name, `Make ${path} writable.`, () => checkFolder(path)))
  checks.push(...(await checkStore(store)))
  if (store.url.startsWith('file:'))
    checks.push(
      await attempt('store: disk', 'Check the disk of the store.', () => checkDisk(store.url)),
    )
  if (store.url.startsWith('s3:') && s3Address !== undefined)
    checks.push(
      await attempt('store: clock', 'Compare the clocks by hand.', () =>
        checkHttpClock(s3Address, S3_SKEW_LIMITS),
      ),
    )
  for (const check of further) checks.push(...(await check()))
  return { healthy: checks.every(({ status }) => status !== 'failed'), checks }
}
