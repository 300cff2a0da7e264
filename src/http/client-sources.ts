// Owns what `from` means where the command was called: a file of this machine becomes an absolute
// path, everything else is left for the service to understand.
import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { HeadstartError } from '../errors.js'
import type { ExtractionInput } from '../experiment/schema.js'
import { isUrl } from '../extractor/base/read-source.js'
import { SHA256_PATTERN } from '../identity/hash.js'
import { isName } from '../store/names.js'
import { isS3Url } from '../store/url.js'
import type { Transport } from './client-transport.js'

const shownNames = z.object({
  names: z.array(
    z.union([z.string(), z.object({ name: z.string() }).transform(({ name }) => name)]),
  ),
})

const isRegistered = async (
  transport: Transport,
  kind: 'bases' | 'datasets',
  name: string,
): Promise<boolean> => {
  try {
    const { names } = await transport.ask(shownNames, { path: `/v1/${kind}/${name}` })
    return names.includes(name)
  } catch (error) {
    if (error instanceof HeadstartError && error.code === 'NOT_FOUND') return false
    throw error
  }
}

const isRemote = (from: string): boolean => isUrl(from) || isS3Url(from)

/** A name wins over a file of that name, as it does without a service. */
const located = async (
  transport: Transport,
  kind: 'bases' | 'datasets',
  { from, folder }: { readonly from: string; readonly folder: string },
): Promise<string> => {
  if (isRemote(from) || isAbsolute(from) || SHA256_PATTERN.test(from)) return from
  const path = resolve(folder, from)
  if (!isName(from)) return path
  return existsSync(path) && !(await isRegistered(transport, kind, from)) ? path : from
}

/** The request as the service understands it. */
export const locateSources = async <T extends ExtractionInput>(
  transport: Transport,
  request: T,
  folder: string,
): Promise<T> => {
  const { base, dataset } = request
  const { labels } = dataset
  return {
    ...request,
    base: { ...base, from: await located(transport, 'bases', { from: base.from, folder }) },
    dataset: {
      ...dataset,
      from: await located(transport, 'datasets', { from: dataset.from, folder }),
      ...(labels === undefined || isS3Url(labels) ? {} : { labels: resolve(folder, labels) }),
    },
  }
}
