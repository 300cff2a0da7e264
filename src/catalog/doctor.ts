// Owns which checks `headstart doctor` makes, in which order. Leaves nothing behind where it looked.
import type { Store } from '../store/port.js'
import { attempt, type Check } from './doctor-check.js'
import { checkDisk, checkEngines, checkFolder, checkImages, checkNode } from './doctor-machine.js'
import { checkStore } from './doctor-store.js'

export interface Diagnosis {
  /** True when nothing failed. */
  readonly healthy: boolean
  readonly checks: readonly Check[]
}

export interface DoctorRequest {
  readonly store: Store
  /** Local folders that this installation writes to. */
  readonly folders: readonly { readonly name: string; readonly path: string }[]
}

/** Looks at the machine and the store. */
export const runDoctor = async ({ store, folders }: DoctorRequest): Promise<Diagnosis> => {
  const checks: Check[] = [
    await attempt('node', 'Install Node 20.19 or later.', () => checkNode(process.versions.node)),
    await attempt('images', 'Install the packages again on this machine: `npm ci`.', checkImages),
    ...(await checkEngines()),
  ]
  for (const { name, path } of folders)
    checks.push(await attempt(name, `Make ${path} writable.`, () => checkFolder(path)))
  checks.push(...(await checkStore(store)))
  if (store.url.startsWith('file:'))
    checks.push(
      await attempt('store: disk', 'Check the disk of the store.', () => checkDisk(store.url)),
    )
  return { healthy: checks.every(({ status }) => status !== 'failed'), checks }
}
