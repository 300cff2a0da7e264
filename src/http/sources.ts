// Owns what a request may mean by `from`: what is registered; what is allow-listed; and, for the
// owner, whatever the command line could name by itself. What is passed on can mean nothing else to
// those who read it.
import { devNull } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { findReference } from '../catalog/find.js'
import { loadNames, readName } from '../catalog/names.js'
import type { DatasetSpec } from '../dataset/spec.js'
import { HeadstartError } from '../errors.js'
import type { Workspace } from '../experiment/workspace.js'
import { isUrl } from '../extractor/base/read-source.js'
import { registerBase } from '../extractor/base/register.js'
import { SHA256_PATTERN } from '../identity/hash.js'
import { createSingleFlight } from '../queue/single-flight.js'
import { isName } from '../store/names.js'
import { isS3Url } from '../store/url.js'
import type { AllowedSources } from './allowed-sources.js'
import type { Caller } from './auth.js'

/** Nothing can lie below the null device: a name that vanishes meanwhile is no path. */
export const NOWHERE = join(devNull, 'nowhere')

export interface SourceGuard {
  /** @throws SOURCE_NOT_ALLOWED, NOT_FOUND, REQUEST_INVALID, and the errors of registerBase. */
  base(from: string, caller: Caller): Promise<string>
  /** @throws SOURCE_NOT_ALLOWED, NOT_FOUND, REQUEST_INVALID. */
  dataset(spec: DatasetSpec, caller: Caller): Promise<DatasetSpec>
}

const notAllowed = (field: string, what: string): HeadstartError =>
  new HeadstartError('SOURCE_NOT_ALLOWED', `${field}: ${what}`)

/** @throws unless it is a path that the owner may name. */
const assertOwnersPath = (field: string, from: string, caller: Caller): void => {
  if (!isAbsolute(from)) {
    const message = `${field}: no name and no absolute path; relative paths mean nothing to a service`
    throw new HeadstartError('REQUEST_INVALID', message)
  }
  if (caller !== 'owner')
    throw notAllowed(field, 'files of this machine may be named by its own command line only')
}

const looksRegistered = (from: string): boolean => isName(from) || SHA256_PATTERN.test(from)

export const createSourceGuard = (
  { store, engines: settings }: Pick<Workspace, 'store' | 'engines'>,
  allowed: AllowedSources,
): SourceGuard => {
  const once = createSingleFlight()

  const assertObject = (field: string, from: string, caller: Caller): void => {
    if (caller !== 'owner' && !allowed.object(from))
      throw notAllowed(field, 'this bucket or prefix is not allow-listed')
  }

  /** A name stays one, so that records say it. */
  const registeredBase = async (from: string): Promise<string> => {
    const { id, name } = await findReference(store, 'base', from)
    return name ?? id
  }

  const downloadedBase = async (from: string, caller: Caller): Promise<string> => {
    const isAllowed = (url: URL): boolean => caller === 'owner' || allowed.url(url)
    if (!URL.canParse(from)) throw new HeadstartError('REQUEST_INVALID', 'base.from: no valid URL')
    const { host } = new URL(from)
    if (!isAllowed(new URL(from))) throw notAllowed('base.from', `${host} is not allow-listed`)
    const register = () => registerBase(store, from, { settings, allowUrl: isAllowed })
    return (await once([from, caller], register)).baseId
  }

  /** Content lies where a name says: an id without a name has none. */
  const registeredDataset = async (from: string): Promise<string> => {
    if (isName(from) && (await readName(store, 'dataset', from)) !== null) return from
    const { id } = await findReference(store, 'dataset', from)
    const { entries } = await loadNames(store, ['dataset'])
    const entry = entries.find((named) => named.id === id)
    if (entry !== undefined) return entry.name
    const message = `dataset.from: the dataset ${id} has no name, so nobody knows where its content lies`
    throw new HeadstartError('NOT_FOUND', message)
  }

  return {
    base: async (from, caller) => {
      if (isUrl(from)) return downloadedBase(from, caller)
      if (isS3Url(from)) assertObject('base.from', from, caller)
      else if (looksRegistered(from)) return registeredBase(from)
      else assertOwnersPath('base.from', from, caller)
      return from
    },
    dataset: async ({ from, labels, ...spec }, caller) => {
      if (labels !== undefined) {
        if (isS3Url(labels)) assertObject('dataset.labels', labels, caller)
        else assertOwnersPath('dataset.labels', labels, caller)
      }
      if (isS3Url(from)) assertObject('dataset.from', from, caller)
      else if (!looksRegistered(from)) assertOwnersPath('dataset.from', from, caller)
      const meant = looksRegistered(from) ? await registeredDataset(from) : from
      return { ...spec, from: meant, ...(labels === undefined ? {} : { labels }) }
    },
  }
}
